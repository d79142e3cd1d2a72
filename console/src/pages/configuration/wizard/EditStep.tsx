import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Fault } from '../../../api/types';
import type { ModuleForm } from '../../../config/module';
import { XmlFault } from '../../../config/xml';
import { t } from '../../../i18n';
import { rows } from '../../../state/cluster';
import { ErrorBox, Faults, Notice, Segmented } from '../../../ui';
import { CodeEditor } from '../editor/CodeEditor';
import { Form, TagFaults } from '../parts/form';
import { NoForm } from '../parts/NoForm';
import type { Checked } from '../parts/useCheck';
import { setUserconfig, userconfig } from './draft';
import { Balancing } from './form/Balancing';
import { Checkers } from './form/Checkers';
import { General } from './form/General';
import { Networks } from './form/Networks';
import { Processes } from './form/Processes';
import { Replication } from './form/Replication';
import { ScriptSettings } from './form/ScriptSettings';
import { VirtualIp } from './form/VirtualIp';

/** Step 1: userconfig.xml, as a form or as it is. */
export function EditStep({ form, text, checked, strict, foot }: {
  form: ModuleForm | XmlFault;
  text: string;
  checked: Checked;
  strict: boolean;
  foot: ComponentChildren;
}) {
  const [view, setView] = useState<'form' | 'xml'>('form');
  const [goTo, setGoTo] = useState<{ line: number } | null>(null);
  const show = (line: number) => {
    setView('xml');
    setGoTo({ line });
  };
  const mode = form instanceof XmlFault ? null : form.mode;
  const edit = (change: (text: string) => string) => setUserconfig(change(userconfig.peek()));
  return (
    <Form.Provider value={{ mode, faults: checked.faults, edit, strict }}>
      <div class="wizard-bar">
        <Segmented
          label={t('configuration.view')}
          value={view}
          options={[
            { value: 'form', label: t('configuration.form'), icon: 'settings' },
            { value: 'xml', label: t('configuration.advanced'), icon: 'code' },
          ]}
          onChange={setView}
        />
        <span class="muted" role="status">{view === 'xml' && !checked.problem ? state(checked) : ''}</span>
      </div>
      {checked.problem !== null && <ErrorBox error={checked.problem} />}
      {view === 'xml' && (
        <div class="stack">
          <CodeEditor name="userconfig.xml" language="xml" label="userconfig.xml" text={text} faults={checked.faults} goTo={goTo} onText={setUserconfig} />
          <Faults faults={[...checked.faults]} onFault={(fault: Fault) => show(fault.line)} />
        </div>
      )}
      {view === 'form' && form instanceof XmlFault && <NoForm fault={form} onXml={() => show(form.line)} />}
      {view === 'form' && !(form instanceof XmlFault) && <Sections form={form} />}
      {view === 'form' && strict && checked.faults.some((fault) => !fault.warning) && (
        <div class="stack form-end"><Faults faults={checked.faults.filter((fault) => !fault.warning)} onFault={(fault) => show(fault.line)} /></div>
      )}
      <footer class="wizard-foot">{foot}</footer>
    </Form.Provider>
  );
}

function state(checked: Checked): string {
  if (checked.checking) return t('configuration.checking');
  return checked.faults.some((fault) => !fault.warning) ? '' : t('configuration.noFault');
}

function Sections({ form }: { form: ModuleForm }) {
  const lans = [...new Set(rows.value.flatMap((row) => row.addresses.map((address) => address.lan)))];
  return (
    <div class="stack">
      <TagFaults items={[form.service, form.heart, form.farm, form.rfs, form.vip, form.check]} />
      <General form={form} />
      {form.mode !== 'light' && <Networks form={form} lans={lans} />}
      {form.mode !== 'light' && <VirtualIp form={form} />}
      {form.mode === 'farm' && <Balancing form={form} />}
      {form.mode === 'mirror' && <Replication form={form} />}
      <ScriptSettings form={form} />
      <Checkers form={form} />
      {form.errd && <Processes form={form} />}
      {form.failover && <Notice tone="info" title={t('form.failover')}>{t('form.failover.text')}</Notice>}
    </div>
  );
}
