import * as model from '../../../../config/module';
import { t } from '../../../../i18n';
import { rows } from '../../../../state/cluster';
import { Button, Card, Checkbox, IconButton } from '../../../../ui';
import { Attr, attrSpec, TagFaults, useForm } from '../../parts/form';

/** Load balancing of a farm. */
export function Balancing({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  const names = form.groups.map((group) => group.item.attrs.name);
  return (
    <Card icon="swap" title={t('form.balancing')}>
      <p class="card-intro">{t('form.balancing.text')}</p>
      {form.groups.map((group) => <Group key={group.item.at.join()} group={group} form={form} />)}
      <Button size="small" icon="plus" disabled={!form.vip} onClick={() => edit((text) => model.addGroup(text, model.freeName('FarmProto', names)))}>
        {t('form.addGroup')}
      </Button>
      {!form.vip && <p class="muted">{t('form.balancing.noVip')}</p>}
    </Card>
  );
}

function Group({ group, form }: { group: model.Group; form: model.ModuleForm }) {
  const { edit } = useForm();
  const addresses = form.interfaces.flatMap((one) => one.addrs.map((addr) => addr.attrs.addr ?? ''));
  const scopes = [{ value: '*', label: t('form.everyAddress') }, ...addresses.map((addr) => ({ value: addr, label: addr }))];
  return (
    <fieldset class="group">
      <legend>{group.item.attrs.name}</legend>
      <TagFaults items={[group.item]} />
      <div class="group-head">
        <Attr item={group.item} spec={attrSpec('group', 'name')} />
        <IconButton icon="trash" label={t('form.remove', { what: group.item.attrs.name ?? '' })} onClick={() => edit((text) => model.removeGroup(text, group.item.at))} />
      </div>
      <ul class="item-rows">
        {group.rules.map((rule) => (
          <li key={rule.at.join()} class="item-row wide">
            <Attr item={rule} spec={attrSpec('rule', 'proto')} bare />
            <Attr item={rule} spec={attrSpec('rule', 'port')} bare />
            {addresses.length > 1 && <Attr item={rule} spec={attrSpec('rule', 'virtual_addr')} options={scopes} bare />}
            <Attr item={rule} spec={attrSpec('rule', 'filter')} bare />
            <IconButton icon="x" label={t('form.removeRule')} disabled={group.rules.length < 2} onClick={() => edit((text) => model.removeItem(text, rule.at))} />
            <TagFaults items={[rule]} />
          </li>
        ))}
      </ul>
      <Button size="small" icon="plus" onClick={() => edit((text) => model.addRule(text, group.item.at))}>{t('form.addRule')}</Button>
      <Weights group={group} />
    </fieldset>
  );
}

/** How much each node gets of the group. */
function Weights({ group }: { group: model.Group }) {
  const { edit } = useForm();
  const nodes = rows.value.map((row) => row.node);
  const weighted = group.hosts.length > 0;
  const toggle = (on: boolean) => edit((text) => (on ? model.setPower(text, group, nodes, nodes[0] ?? '', '1') : model.removePowers(text, group)));
  return (
    <div class="weights">
      <Checkbox checked={weighted} disabled={nodes.length === 0} onChecked={toggle} hint={t('form.weights.help')}>{t('form.weights')}</Checkbox>
      {weighted && (
        <div class="form-grid narrow">
          {group.hosts.map((host) => <Attr key={host.at.join()} item={host} spec={attrSpec('host', 'power')} label={host.attrs.name} />)}
        </div>
      )}
    </div>
  );
}
