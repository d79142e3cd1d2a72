import * as model from '../../../../config/module';
import { t } from '../../../../i18n';
import { Button, Card, IconButton } from '../../../../ui';
import { Attrs, TagFaults, useForm } from '../../parts/form';

/** Processes and services that are watched. */
export function Processes({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  return (
    <Card icon="activity" title={t('form.errd')}>
      <p class="card-intro">{t('form.errd.text')}</p>
      <TagFaults items={[form.errd]} />
      {form.procs.map((proc) => (
        <fieldset key={proc.at.join()} class="group">
          <legend>{proc.attrs.name}</legend>
          <div class="group-head">
            <span class="grow" />
            <IconButton icon="trash" label={t('form.remove', { what: proc.attrs.name ?? '' })} onClick={() => edit((text) => model.removeProc(text, proc.at))} />
          </div>
          <TagFaults items={[proc]} />
          <Attrs item={proc} group="proc" />
          <Attrs item={proc} group="proc" more />
        </fieldset>
      ))}
      <Button size="small" icon="plus" onClick={() => edit((text) => model.addProc(text, form.mode ?? 'mirror'))}>{t('form.addProc')}</Button>
      {form.errd && <Attrs item={form.errd} group="errd" more />}
    </Card>
  );
}
