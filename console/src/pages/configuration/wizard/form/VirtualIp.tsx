import * as model from '../../../../config/module';
import { isAddress } from '../../../../config/validate';
import { t } from '../../../../i18n';
import { Card, Field, IconButton, Select } from '../../../../ui';
import { AddLine, Attr, Attrs, attrSpec, More, TagFaults, useForm } from '../../parts/form';

const badAddress = (value: string): string | null => (isAddress(value) ? null : t('invalid.address'));

/** Virtual IP addresses. */
export function VirtualIp({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  const mode = form.mode ?? 'mirror';
  return (
    <Card icon="globe" title={t('form.vip')}>
      <p class="card-intro">{t(mode === 'farm' ? 'form.vip.farm' : 'form.vip.mirror')}</p>
      {form.interfaces.map((one) => (
        <Interface key={one.item.at.join()} one={one} mode={mode} alone={form.interfaces.length === 1} />
      ))}
      <AddLine
        label={t(form.interfaces.length > 0 ? 'form.vip.other' : 'form.vip.first')}
        placeholder="10.0.0.228"
        button={t('form.add')}
        check={badAddress}
        onAdd={(addr) => edit((text) => model.addVirtualAddress(text, mode, addr))}
      />
      {form.vip && <Attrs item={form.vip} group="vip" more />}
    </Card>
  );
}

function Interface({ one, mode, alone }: { one: model.Interface; mode: model.Mode; alone: boolean }) {
  const { edit } = useForm();
  const kinds: model.InterfaceKind[] = mode === 'farm' ? ['vmac_directed', 'vmac_invisible'] : ['real', 'vmac_invisible'];
  const all = kinds.includes(one.kind) ? kinds : [one.kind, ...kinds];
  return (
    <fieldset class="group">
      <legend>{alone ? t('form.interface') : t('form.interfaceOf', { addr: one.addrs[0]?.attrs.addr ?? '' })}</legend>
      <TagFaults items={[one.item, one.holder]} />
      <ul class="item-rows">
        {one.addrs.map((addr) => (
          <li key={addr.at.join()} class="item-row wide">
            <Attr item={addr} spec={attrSpec('virtual_addr', 'addr')} bare />
            <Attr item={addr} spec={attrSpec('virtual_addr', 'netmask')} bare placeholder={t('form.automatic')} />
            <Attr item={addr} spec={attrSpec('virtual_addr', 'check')} bare />
            <Attr item={addr} spec={attrSpec('virtual_addr', 'connections')} bare />
            <IconButton icon="x" label={t('form.remove', { what: addr.attrs.addr ?? '' })} onClick={() => edit((text) => model.removeAddress(text, addr.at))} />
            <TagFaults items={[addr]} />
          </li>
        ))}
      </ul>
      {one.holder && (
        <AddLine label={t('form.vip.same')} button={t('form.add')} check={badAddress} onAdd={(addr) => edit((text) => model.addAddress(text, one.holder!.at, mode, addr))} />
      )}
      <div class="form-grid">
        <div class="span2"><Field label={t('form.interface.kind')} hint={t(`form.kind.${one.kind}.help`)}>
          {(props) => (
            <Select
              {...props}
              value={one.kind}
              options={all.map((kind) => ({ value: kind, label: t(`form.kind.${kind}`) }))}
              onValue={(kind) => edit((text) => model.setInterfaceKind(text, one, kind))}
            />
          )}
        </Field></div>
      </div>
      <Attrs item={one.item} group="interface" />
      <Attrs item={one.item} group="interface" more />
      {one.kind === 'vmac_invisible' && one.holder && (
        <More><Attr item={one.holder} spec={attrSpec('virtual_interface', 'addr')} /></More>
      )}
    </fieldset>
  );
}
