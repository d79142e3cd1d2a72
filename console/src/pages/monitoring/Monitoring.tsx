import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { lang, t } from '../../i18n';
import { told } from '../../i18n/told';
import { href, query, setQuery } from '../../router';
import { may, session } from '../../session';
import { doubtful, useCertificates } from '../../state/certificates';
import { known, modules, nodes, type ModuleView } from '../../state/cluster';
import { serviceOf } from '../../state/service';
import { recall, remember } from '../../theme';
import { Empty, Icon, IconButton, LinkButton, Notice, PageHead, SearchInput, Segmented, Spinner } from '../../ui';
import { Announcer } from './Announcer';
import { Legend } from './Legend';
import { differ, Matrix } from './Matrix';

/** Modules above which a filter by name helps. */
const MANY = 6;

/** Every module on every node (WEB-06, WEB-30). */
export function Monitoring() {
  const [legend, setLegend] = useState(false);
  useEffect(() => {
    document.title = `${t('monitoring.title')} · SafeKit`;
  }, [lang.value]);
  const wanted = query.value.get('show') === 'attention' ? 'attention' : 'all';
  const text = query.value.get('q') ?? '';
  const attention = modules.value.filter(needsAttention);
  const shown = (wanted === 'attention' ? attention : modules.value).filter((m) => m.name.toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <PageHead
        title={t('monitoring.title')}
        titleEnd={<IconButton icon="help" label={t('legend.open')} onClick={() => setLegend(true)} />}
        subtitle={t('monitoring.subtitle')}
        actions={
          modules.value.length > 0 && (
            <>
              {modules.value.length > MANY && <SearchInput label={t('monitoring.filter')} value={text} onValue={(q) => setQuery({ q })} />}
              <Segmented
                label={t('ui.filter')}
                value={wanted}
                options={[
                  { value: 'all', label: `${t('monitoring.all')} (${modules.value.length})` },
                  { value: 'attention', label: `${t('monitoring.attention')} (${attention.length})`, icon: 'warning' },
                ]}
                onChange={(value) => setQuery({ show: value === 'all' ? null : value })}
              />
            </>
          )
        }
      />
      <ClusterNotices />
      {!known.value ? <Spinner /> : <Body shown={shown} />}
      <Announcer />
      {legend && <Legend onClose={() => setLegend(false)} />}
    </>
  );
}

function Body({ shown }: { shown: ModuleView[] }) {
  if (modules.value.length === 0) return <NoModule />;
  if (shown.length === 0) return <Empty icon="checkCircle" title={t('monitoring.nothing')} />;
  return <Matrix modules={shown} />;
}

function NoModule() {
  if (nodes.value.every((n) => n.seen === null)) return <Spinner />;
  const admin = may('Admin');
  return (
    <Empty
      icon="cube"
      title={t('monitoring.none')}
      action={admin && <LinkButton variant="primary" icon="plus" href={href('/configuration/modules')}>{t('monitoring.none.action')}</LinkButton>}
    >
      <p>{t('monitoring.none.text')}</p>
      {!admin && <p>{t('monitoring.none.viewer')}</p>}
    </Empty>
  );
}

const KEY = 'safekit.dismissed';

/** Warnings about the security of the service that this browser shows no more. */
const dismissed = signal<ReadonlySet<string>>(new Set((recall(KEY) ?? '').split('\n')));

function dismiss(warning: string): void {
  dismissed.value = new Set([...dismissed.value, warning]);
  remember(KEY, [...dismissed.value].join('\n'));
}

/** Certificates of other nodes that need somebody (WEB-46). */
function Certificates() {
  useCertificates();
  return (
    <>
      {[...doubtful.value].map(([node, { warning }]) => {
        const key = `${node}: ${warning}`;
        if (dismissed.value.has(key)) return null;
        return (
          <Notice key={key} tone="warning" title={node} actions={<IconButton icon="x" label={t('ui.dismiss')} onClick={() => dismiss(key)} />}>
            {told(warning!)}
          </Notice>
        );
      })}
    </>
  );
}

/** What concerns the whole cluster: configurations that differ (7.13), a node that takes no part. */
function ClusterNotices() {
  const heard = nodes.value.filter((n) => n.reachable && n.overview?.cluster);
  const signatures = new Set(heard.map((n) => n.overview!.cluster!.signature));
  const trouble = heard.filter((n) => n.overview!.cluster!.trouble);
  const warnings = may('Admin') ? (session.value?.warnings ?? []).filter((w) => !dismissed.value.has(w)) : [];
  return (
    <div class="notices">
      {warnings.map((warning) => (
        <Notice key={warning} tone="warning" actions={<IconButton icon="x" label={t('ui.dismiss')} onClick={() => dismiss(warning)} />}>
          {told(warning)}
        </Notice>
      ))}
      {may('Admin') && <Certificates />}
      {signatures.size > 1 && (
        <Notice tone="warning">{t('monitoring.clusterDiffers', { nodes: heard.map((n) => n.name).join(', ') })}</Notice>
      )}
      {trouble.map((n) => (
        <Notice key={n.name} tone="warning" title={n.name}>
          <span class="row"><Icon name="info" size={15} />{n.overview!.cluster!.trouble}</span>
        </Notice>
      ))}
    </div>
  );
}

/** Somebody should look at it. */
function needsAttention(module: ModuleView): boolean {
  const service = serviceOf(module.on);
  return (service !== 'full' && service !== 'moving' && service !== 'unconfigured') || differ(module);
}
