import { useEffect } from 'preact/hooks';
import * as model from '../../../config/cluster';
import { t } from '../../../i18n';
import { Button, Card, Icon, IconButton } from '../../../ui';
import { Attr, attrSpec, TagFaults, useForm } from '../parts/form';
import type { Probes, Reach } from './probes';

/** The networks of the cluster with their nodes. */
export function LanForm({ form, probes }: { form: model.ClusterForm; probes: Probes }) {
  const { edit } = useForm();
  useEffect(() => {
    for (const node of form.list.flatMap((lan) => lan.nodes)) void probes.ask(node.attrs.addr ?? '');
  }, []);
  return (
    <div class="stack">
      <TagFaults items={[form.lans]} />
      {form.list.map((lan) => (
        <LanCard key={lan.item.at.join()} lan={lan} form={form} probes={probes} />
      ))}
      <div>
        <Button icon="plus" onClick={() => edit(model.addLan)}>{t('cluster.addLan')}</Button>
      </div>
    </div>
  );
}

function LanCard({ lan, form, probes }: { lan: model.Lan; form: model.ClusterForm; probes: Probes }) {
  const { edit } = useForm();
  const command = model.commandLan(form) === lan;
  const name = lan.item.attrs.name ?? '';
  const remove = form.list.length > 1 && (
    <IconButton icon="trash" label={t('cluster.removeLan', { lan: name })} onClick={() => edit((text) => model.remove(text, lan.item.at))} />
  );
  return (
    <Card icon="cluster" title={name || t('cluster.lan')} class="lan-card" actions={remove}>
      <div class="form-grid">
        <Attr item={lan.item} spec={attrSpec('lan', 'name')} />
        <label class="check lan-command">
          <input type="radio" name="command-lan" checked={command} onChange={() => edit((text) => model.setCommandLan(text, lan.item.at))} />
          <span>
            {t('cluster.commandLan')}
            <small>{t('cluster.commandLan.help')}</small>
          </span>
        </label>
      </div>
      <TagFaults items={[lan.item]} />
      <ul class="node-rows">
        {lan.nodes.map((node, i) => (
          <NodeFields key={i} node={node} lan={lan} probes={probes} />
        ))}
      </ul>
      <Button size="small" icon="plus" onClick={() => edit((text) => model.addNode(text, lan.item.at))}>{t('cluster.addNode')}</Button>
    </Card>
  );
}

function NodeFields({ node, lan, probes }: { node: model.Item; lan: model.Lan; probes: Probes }) {
  const { edit } = useForm();
  const addr = node.attrs.addr ?? '';
  const reach = probes.of(addr);
  // Leaving the address, with Tab for instance, asks the server there for its name.
  const left = async () => {
    const hostname = await probes.ask(addr);
    if (hostname) edit((text) => model.nameIfEmpty(text, node.at, addr, hostname.split('.')[0] ?? hostname));
  };
  return (
    <li class="node-row">
      <div class="node-address" onFocusOut={(e) => e.target instanceof HTMLInputElement && void left()}>
        <Attr item={node} spec={attrSpec('node', 'addr')} placeholder="10.0.0.107" />
        <ReachMark reach={reach} retry={() => void probes.ask(addr, true)} />
      </div>
      <Attr item={node} spec={attrSpec('node', 'name')} lazy set={(value) => edit((text) => model.renameNode(text, node.at, value ?? ''))} />
      {node.attrs.laddr !== undefined && <Attr item={node} spec={attrSpec('node', 'laddr')} />}
      <IconButton
        icon="x"
        label={t('cluster.removeNode', { node: node.attrs.name || addr || '?' })}
        disabled={lan.nodes.length < 2}
        onClick={() => edit((text) => model.remove(text, node.at))}
      />
      <div class="node-told">
        {reach?.state === 'bad' && <p class="node-why">{t('cluster.unreachable', { why: reach.why })}</p>}
        <TagFaults items={[node]} />
      </div>
    </li>
  );
}

/** Whether the server is there; the tooltip says more. */
function ReachMark({ reach, retry }: { reach: Reach | undefined; retry: () => void }) {
  if (!reach) return <span class="reach" />;
  if (reach.state === 'asking') {
    return (
      <span class="reach" role="status" title={t('cluster.asking')}>
        <span class="ring" aria-hidden="true" />
        <span class="hidden-text">{t('cluster.asking')}</span>
      </span>
    );
  }
  if (reach.state === 'bad') {
    const label = t('cluster.unreachable', { why: reach.why });
    return (
      <button type="button" class="reach bad" title={label} aria-label={`${label}. ${t('ui.retry')}`} onClick={retry}>
        <Icon name="x" size={17} />
      </button>
    );
  }
  const label = t('cluster.reachable', { host: reach.probe.hostname ?? '', version: reach.probe.version ?? '' });
  return <span class="reach good" role="img" aria-label={label} title={label}><Icon name="check" size={17} /></span>;
}
