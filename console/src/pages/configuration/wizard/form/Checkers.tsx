import * as model from '../../../../config/module';
import { t } from '../../../../i18n';
import { Badge, Button, Card, IconButton } from '../../../../ui';
import { Attrs, type Part, TagFaults, useForm } from '../../parts/form';

/** Kinds that the form offers; others are shown when the file has them. */
const OFFERED: model.CheckerKind[] = ['tcp', 'ping', 'custom', 'module', 'intf', 'ip'];

/** What must work for the service to be there. */
export function Checkers({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  const mode = form.mode ?? 'mirror';
  return (
    <Card icon="shield" title={t('form.checkers')}>
      <p class="card-intro">{t('form.checkers.text')}</p>
      {form.checkers.map((checker) => <One key={checker.item.at.join()} checker={checker} />)}
      <div class="row" role="group" aria-label={t('form.addChecker')}>
        {OFFERED.map((kind) => (
          <Button key={kind} size="small" icon="plus" title={t(`checker.${kind}.help`)} onClick={() => edit((text) => model.addChecker(text, kind, mode))}>
            {t(`checker.${kind}`)}
          </Button>
        ))}
      </div>
    </Card>
  );
}

function One({ checker }: { checker: model.Checker }) {
  const { edit } = useForm();
  const { kind, item, to } = checker;
  const name = item.attrs.ident ?? item.attrs.name ?? '';
  // A checker of another module may have no <to>: its fields are shown all the same.
  const target: model.Item | null = to ?? (kind === 'module' ? { ...item, tag: 'to', attrs: {}, lines: {} } : null);
  const set = (attr: string, value: string | null) => edit((text) => model.setTo(text, checker, attr, value));
  const parts: Part[] = [{ item, group: kind }, ...(target ? [{ item: target, group: `${kind}.to`, set }] : [])];
  return (
    <fieldset class="group">
      <legend>
        <Badge>{t(`checker.${kind}`)}</Badge> {name}
      </legend>
      <div class="group-head">
        <p class="muted">{t(`checker.${kind}.help`)}</p>
        <IconButton icon="trash" label={t('form.remove', { what: name || kind })} onClick={() => edit((text) => model.removeChecker(text, item.at))} />
      </div>
      <TagFaults items={[item, to]} />
      <Attrs parts={parts} />
      <Attrs parts={parts} more />
    </fieldset>
  );
}
