import { useState } from 'preact/hooks';
import { api } from '../../api/api';
import type { ModuleOverview, OwnerRow, PortRow, Stamp } from '../../api/types';
import { stamp } from '../../format';
import { lang, t } from '../../i18n';
import { rows, through, type NodeView } from '../../state/cluster';
import { Button, Card, ErrorBox, Facts, Field, Notice, Spinner, Table, TextInput, useLoad } from '../../ui';

/** Version, license, configuration and ports; of a farm, who answers a client. */
export function Information({ module, view }: { module: ModuleOverview; view: NodeView }) {
  return (
    <div class="columns">
      <NodeCard node={view.name} />
      <ModuleCard module={module} />
      {module.mode === 'farm' && <Owner module={module.module} node={view.name} />}
      <Ports module={module.module} node={view.name} />
    </div>
  );
}

function NodeCard({ node }: { node: string }) {
  const { data, error, reload } = useLoad(() => api.level(through(node)), [node, lang.value]);
  const addresses = rows.value.find((r) => r.node === node)?.addresses ?? [];
  return (
    <Card title={t('info.node')} icon="server">
      {error ? <ErrorBox error={error} retry={reload} /> : !data ? <Spinner /> : (
        <Facts
          facts={[
            [t('info.version'), data.safekit],
            [t('info.license'), data.license],
            [t('info.host'), data.host],
            [t('info.os'), data.os],
            [t('info.addresses'), addresses.map((a) => `${a.addr} (${a.lan})`).join(', ') || t('ui.none')],
          ]}
        />
      )}
    </Card>
  );
}

function ModuleCard({ module }: { module: ModuleOverview }) {
  const same = module.active?.signature === module.current.signature;
  return (
    <Card title={t('info.module')} icon="cube">
      <div class="stack">
        <Facts
          facts={[
            [t('info.mode'), module.mode ? t(`mode.${module.mode}`) : '–'],
            [t('info.id'), module.id],
            [t('info.boot'), bootOf(module.boot)],
            [t('info.encryption'), t(module.encrypted ? 'ui.yes' : 'ui.no')],
            [t('info.active'), module.active ? <Signed key="a" of={module.active} /> : t('info.never')],
            [t('info.current'), same ? t('info.same') : <Signed key="c" of={module.current} />],
          ]}
        />
        {!same && module.configured && <Notice tone="warning">{t('monitoring.pending')}</Notice>}
      </div>
    </Card>
  );
}

/** Words of the daemon; another one is shown as it is. */
function bootOf(word: string): string {
  if (word === 'on' || word === 'off') return t(word === 'on' ? 'ui.yes' : 'ui.no');
  const known = (['auto', 'ignore'] as const).find((w) => w === word);
  return known ? t(`choice.service.boot.${known}`) : word;
}

function Signed({ of }: { of: Stamp }) {
  return (
    <>
      {stamp(of.date)}
      <br />
      <span class="mono muted" title={of.signature}>{of.signature.slice(0, 16)}…</span>
    </>
  );
}

function Ports({ module, node }: { module: string; node: string }) {
  const { data, error, reload } = useLoad(() => api.ports(through(node), module), [module, node]);
  return (
    <Card title={t('info.ports')} icon="globe" flush>
      {error ? <ErrorBox error={error} retry={reload} /> : !data ? <div class="pad"><Spinner /></div> : (
        <Table<PortRow>
          label={t('info.ports')}
          columns={[
            { id: 'process', label: t('info.process'), cell: (p) => <strong>{p.process}</strong> },
            { id: 'name', label: t('info.name'), cell: (p) => <code>{p.name}</code> },
            { id: 'protocol', label: t('info.protocol'), cell: (p) => p.protocol },
            { id: 'port', label: t('info.port'), cell: (p) => p.port, class: 'number' },
          ]}
          rows={data}
          rowKey={(p) => `${p.process} ${p.name} ${p.port}`}
          empty={<p class="pad muted">{t('info.ports.none')}</p>}
        />
      )}
    </Card>
  );
}

/** Which node of the farm answers a client. */
function Owner({ module, node }: { module: string; node: string }) {
  const [client, setClient] = useState('');
  const [port, setPort] = useState('');
  const [answer, setAnswer] = useState<OwnerRow[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const bad = client !== '' && !/^[\d.]+$|:/.test(client.trim());
  const ask = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      setAnswer(await api.farmOwner(through(node), module, client.trim(), port ? Number(port) : null));
    } catch (e) {
      setAnswer(null);
      setError(e);
    }
    setBusy(false);
  };
  return (
    <Card title={t('owner.title')} icon="search" class={answer ? 'wide' : ''} flush>
      <form class="owner-form" onSubmit={(e) => void ask(e)}>
        <Field label={t('owner.client')} error={bad ? t('owner.bad') : null}>
          {(props) => <TextInput {...props} value={client} onValue={setClient} placeholder="192.168.1.20" required />}
        </Field>
        <Field label={t('owner.port')}>
          {(props) => <TextInput {...props} value={port} onValue={setPort} inputMode="numeric" pattern="[0-9]{1,5}" />}
        </Field>
        <Button type="submit" variant="primary" busy={busy} disabled={bad || client === ''}>{t('owner.ask')}</Button>
      </form>
      {error !== null && <div class="pad"><ErrorBox error={error} /></div>}
      {answer && <Owners rows={answer} />}
    </Card>
  );
}

function Owners({ rows }: { rows: OwnerRow[] }) {
  return (
    <Table<OwnerRow>
      label={t('owner.title')}
      columns={[
        { id: 'group', label: t('owner.group'), cell: (o) => o.group },
        { id: 'rule', label: t('owner.rule'), cell: (o) => <code>{`${o.virtual_addr}:${o.port}/${o.proto} ${o.filter}`}</code> },
        { id: 'node', label: t('owner.node'), cell: (o) => <strong>{o.node ?? o.unknown ?? '–'}</strong> },
        { id: 'established', label: t('owner.established'), cell: (o) => o.established ?? (o.node ? t('owner.same') : '–') },
      ]}
      rows={rows}
      rowKey={(o) => `${o.group} ${o.virtual_addr} ${o.port} ${o.proto} ${o.filter}`}
    />
  );
}
