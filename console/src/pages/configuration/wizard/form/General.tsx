import * as model from '../../../../config/module';
import { t } from '../../../../i18n';
import { rows } from '../../../../state/cluster';
import { Card } from '../../../../ui';
import { Attr, Attrs, attrSpec } from '../../parts/form';

/** Settings of `<service>` and the macros. */
export function General({ form }: { form: model.ModuleForm }) {
  const nodes = rows.value.map((row) => row.node);
  const primaries = [
    { value: 'alone', label: t('form.defaultprim.alone') },
    { value: 'lastprim', label: t('form.defaultprim.lastprim') },
    ...nodes.map((node) => ({ value: node, label: node })),
  ];
  return (
    <>
      {form.macros.length > 0 && <Macros form={form} />}
      <Card icon="settings" title={t('form.general')}>
        <div class="form-grid">
          <Attr item={form.service} spec={attrSpec('service', 'boot')} />
          {form.mode === 'mirror' && <Attr item={form.service} spec={attrSpec('service', 'defaultprim')} options={primaries} />}
          {form.mode === 'mirror' && <Attr item={form.service} spec={attrSpec('service', 'failover')} />}
        </div>
        <Attrs item={form.service} group="service" more />
      </Card>
    </>
  );
}

/** Values that the rest of the file uses as %NAME%. */
function Macros({ form }: { form: model.ModuleForm }) {
  return (
    <Card icon="edit" title={t('form.macros')}>
      <p class="card-intro">{t('form.macros.text')}</p>
      <div class="form-grid">
        {form.macros.map((macro) => (
          <Attr key={macro.at.join()} item={macro} spec={attrSpec('macro', 'value')} label={macro.attrs.name} />
        ))}
      </div>
    </Card>
  );
}
