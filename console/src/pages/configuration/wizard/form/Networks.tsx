import * as model from '../../../../config/module';
import { t } from '../../../../i18n';
import { Button, Card, Checkbox, IconButton, Notice } from '../../../../ui';
import { Attr, Attrs, attrSpec, TagFaults, useForm } from '../../parts/form';

/** Heartbeats of a mirror, or the networks of a farm: proposed from the lans of the cluster. */
export function Networks({ form, lans }: { form: model.ModuleForm; lans: string[] }) {
  const { edit } = useForm();
  const mirror = form.mode === 'mirror';
  const items = mirror ? form.heartbeats : form.lans;
  const used = items.map((item) => item.attrs.name ?? '');
  const whole = mirror ? form.heart : form.farm;
  const add = (lan: string) => edit((text) => (mirror ? model.addHeartbeat(text, lan) : model.addFarmLan(text, lan)));
  return (
    <Card icon="activity" title={t(mirror ? 'form.heartbeats' : 'form.farm')}>
      <p class="card-intro">{t(mirror ? 'form.heartbeats.text' : 'form.farm.text')}</p>
      {items.length === 1 && lans.length > 1 && <Notice tone="info">{t('form.oneNetwork')}</Notice>}
      <ul class="item-rows">
        {items.map((item) => (
          <Network key={item.at.join()} item={item} form={form} lans={lans} used={used} last={items.length === 1} />
        ))}
      </ul>
      <div class="row">
        {lans.filter((lan) => !used.includes(lan)).map((lan) => (
          <Button key={lan} size="small" icon="plus" onClick={() => add(lan)}>{t('form.addNetwork', { lan })}</Button>
        ))}
      </div>
      {whole && mirror && <Attrs item={whole} group="heart" />}
      {whole && <Attrs item={whole} group={mirror ? 'heart' : 'farm'} more />}
    </Card>
  );
}

function Network({ item, form, lans, used, last }: {
  item: model.Item;
  form: model.ModuleForm;
  lans: string[];
  used: string[];
  last: boolean;
}) {
  const { edit } = useForm();
  const name = item.attrs.name ?? '';
  const free = [name, ...lans.filter((lan) => !used.includes(lan))].map((lan) => ({ value: lan, label: lan }));
  const flow = item.attrs.ident === model.FLOW;
  return (
    <li class="item-row">
      <Attr item={item} spec={attrSpec('lan', 'name')} options={free} label={t('form.network')} bare />
      {form.mode === 'mirror' && form.rfs && (flow || !last) && (
        <Checkbox checked={flow} onChecked={(on) => edit((text) => model.setFlow(text, on ? item.at : null))} hint={t('form.flow.help')}>
          {t('form.flow')}
        </Checkbox>
      )}
      <IconButton icon="x" label={t('form.remove', { what: name })} disabled={last} onClick={() => edit((text) => model.removeItem(text, item.at))} />
      <TagFaults items={[item]} />
    </li>
  );
}
