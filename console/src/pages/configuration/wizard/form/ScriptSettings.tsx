import * as model from '../../../../config/module';
import { invalid } from '../../../../config/validate';
import { t } from '../../../../i18n';
import { Button, Card, IconButton, Notice } from '../../../../ui';
import { AddLine, Attr, Attrs, attrSpec, TagFaults, useForm } from '../../parts/form';

/** How the scripts of the module are called. */
export function ScriptSettings({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  const bad = (name: string): string | null => {
    if (form.vars.some((one) => one.attrs.name === name)) return t('form.varTaken');
    return invalid(attrSpec('var', 'name'), name) ? t('invalid.variable') : null;
  };
  if (!form.user) {
    return (
      <Card icon="code" title={t('form.user')}>
        <Notice tone="warning" actions={<Button size="small" icon="plus" onClick={() => edit(model.addUser)}>{t('form.user.add')}</Button>}>
          {t('form.user.none')}
        </Notice>
      </Card>
    );
  }
  return (
    <Card icon="code" title={t('form.user')}>
      <Attrs item={form.user} group="user" />
      <Attrs item={form.user} group="user" more />
      <h3 class="sub">{t('form.vars')}</h3>
      <p class="card-intro">{t('form.vars.text')}</p>
      <ul class="item-rows">
        {form.vars.map((one) => (
          <li key={one.at.join()} class="item-row">
            <Attr item={one} spec={attrSpec('var', 'name')} bare />
            <Attr item={one} spec={attrSpec('var', 'value')} bare />
            <IconButton icon="x" label={t('form.remove', { what: one.attrs.name ?? '' })} onClick={() => edit((text) => model.removeItem(text, one.at))} />
            <TagFaults items={[one]} />
          </li>
        ))}
      </ul>
      <AddLine label={t('form.addVar')} button={t('form.add')} check={bad} onAdd={(name) => edit((text) => model.addVar(text, name, ''))} />
    </Card>
  );
}
