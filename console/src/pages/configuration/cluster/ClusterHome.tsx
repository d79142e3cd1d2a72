import { useEffect, useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import { api } from '../../../api/api';
import type { Cluster, NodeRow } from '../../../api/types';
import { t } from '../../../i18n';
import { go, href } from '../../../router';
import { nodes as views } from '../../../state/cluster';
import { Badge, Button, Card, ErrorBox, Facts, Icon, LinkButton, Menu, Notice, PageHead, saveFile, Spinner, useLoad } from '../../../ui';
import { serverDate } from '../parts/text';
import { Deploy, Unconfigure } from './actions';

interface Home {
  cluster: Cluster;
  nodes: NodeRow[];
}

async function read(): Promise<Home> {
  const [cluster, nodes] = await Promise.all([configuration.cluster(), api.nodes()]);
  return { cluster, nodes };
}

/** Cluster home (WEB-25). */
export function ClusterHome() {
  // Read again whenever a node comes, goes or gets another configuration.
  const key = views.value.map((v) => `${v.name} ${v.reachable} ${v.overview?.cluster?.signature}`).join();
  const { data, error, reload } = useLoad(read, [key]);
  const [action, setAction] = useState<'deploy' | 'unconfigure' | null>(null);
  const [last, setLast] = useState<Home | null>(null);
  useEffect(() => {
    if (data) setLast(data);
    if (data && !data.cluster.configured) void go('/configuration/cluster/config', { replace: true });
  }, [data]);
  const home = data ?? last;
  if (error && !home) return <><PageHead title={t('configuration.cluster')} /><ErrorBox error={error} retry={reload} /></>;
  if (!home?.cluster.configured) return <Spinner />;
  const close = (acted: boolean) => {
    setAction(null);
    if (acted) reload();
  };
  return (
    <>
      <Head home={home} onAction={setAction} />
      <div class="stack">
        {home.cluster.trouble && <Notice tone="bad" title={t('cluster.trouble')}>{home.cluster.trouble}</Notice>}
        {home.cluster.lock && <Notice tone="info" icon="lock" title={t('cluster.locked')}>{t('cluster.locked.text')}</Notice>}
        <Differing home={home} onDeploy={() => setAction('deploy')} />
        <Card title={t('cluster.nodes')} icon="server" flush>
          <ul class="node-list">
            {home.nodes.map((node) => <NodeLine key={node.node} node={node} home={home} />)}
          </ul>
        </Card>
        <Networks nodes={home.nodes} />
      </div>
      {action === 'deploy' && <Deploy nodes={home.nodes} onClose={close} />}
      {action === 'unconfigure' && <Unconfigure nodes={home.nodes} onClose={close} />}
    </>
  );
}

function Head({ home, onAction }: { home: Home; onAction: (action: 'deploy' | 'unconfigure') => void }) {
  const { cluster } = home;
  return (
    <PageHead
      title={t('configuration.cluster')}
      help="cluster"
      subtitle={t('cluster.applied', { date: serverDate(cluster.date) })}
      actions={
        <>
          <LinkButton variant="primary" icon="edit" href={href('/configuration/cluster/config')}>{t('cluster.configure')}</LinkButton>
          <Menu
            label={t('ui.more')}
            items={[
              { label: t('cluster.deploy'), icon: 'sync', hint: t('cluster.deploy.hint'), onSelect: () => onAction('deploy') },
              { label: t('cluster.download'), icon: 'download', hint: 'cluster.xml', onSelect: () => saveFile('cluster.xml', cluster.xml) },
              { kind: 'separator' },
              { label: t('cluster.unconfigure'), icon: 'trash', danger: true, onSelect: () => onAction('unconfigure') },
            ]}
          />
        </>
      }
    />
  );
}

/** It is not heard of yet, or it has the configuration of the connection node. */
const differs = (node: NodeRow, home: Home): boolean => node.signature !== '' && node.signature !== home.cluster.signature;

/** Nodes with another configuration hear nobody (7.13). */
function Differing({ home, onDeploy }: { home: Home; onDeploy: () => void }) {
  const other = home.nodes.filter((node) => differs(node, home)).map((node) => node.node);
  if (other.length === 0) return null;
  return (
    <Notice
      tone="warning"
      title={t('cluster.differ', { nodes: other.join(', ') })}
      actions={<Button variant="primary" icon="sync" onClick={onDeploy}>{t('cluster.deploy')}</Button>}
    >
      {t('cluster.differ.text')}
    </Notice>
  );
}

function NodeLine({ node, home }: { node: NodeRow; home: Home }) {
  return (
    <li>
      <details class="node-line">
        <summary>
          <Icon name="chevronRight" size={16} class="turn" />
          <span class="node-name">
            <strong>{node.node}</strong>
            {node.me && <Badge>{t('cluster.me')}</Badge>}
            {node.lock && <Badge icon="lock">{t('cluster.lock')}</Badge>}
          </span>
          <span class="node-date">{node.date ? t('cluster.appliedOn', { date: serverDate(node.date) }) : ''}</span>
          <span class="node-state"><NodeState node={node} home={home} /></span>
        </summary>
        <div class="node-details">
          <Facts
            facts={[
              ...node.addresses.map((a): [string, string] => [t('cluster.addressOn', { lan: a.lan }), a.addr]),
              [t('cluster.command'), node.command || '—'],
              [t('cluster.version'), node.version || '—'],
              [t('cluster.signature'), <span key="signature" class="mono" title={node.signature}>{node.signature ? `${node.signature.slice(0, 16)}…` : '—'}</span>],
            ]}
          />
        </div>
      </details>
    </li>
  );
}

function NodeState({ node, home }: { node: NodeRow; home: Home }) {
  if (differs(node, home)) return <Badge tone="warning" icon="warning">{t('cluster.other')}</Badge>;
  if (!node.online) return <Badge tone="bad" icon="unlink">{t('cluster.offline')}</Badge>;
  return <Badge tone="good" icon="check">{t('cluster.same')}</Badge>;
}

/** Which node has which address on which network. */
function Networks({ nodes }: { nodes: NodeRow[] }) {
  const lans = [...new Set(nodes.flatMap((node) => node.addresses.map((a) => a.lan)))];
  return (
    <Card title={t('cluster.networks')} icon="cluster" flush>
      <div class="table-frame">
        <table class="table" aria-label={t('cluster.networks')}>
          <thead>
            <tr>
              <th scope="col">{t('cluster.node')}</th>
              {lans.map((lan) => <th key={lan} scope="col">{lan}</th>)}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.node}>
                <td data-label={t('cluster.node')}><strong>{node.node}</strong></td>
                {lans.map((lan) => (
                  <td key={lan} data-label={lan} class="mono">{node.addresses.find((a) => a.lan === lan)?.addr ?? '—'}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
