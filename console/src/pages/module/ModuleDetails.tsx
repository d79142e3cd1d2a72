import { useEffect, useState } from 'preact/hooks';
import type { ModuleOverview } from '../../api/types';
import { shortDate, today } from '../../format';
import { t } from '../../i18n';
import { href } from '../../router';
import { spotsOf } from '../../state/activity';
import { known, moduleOn, modules, rows, stale, type NodeView } from '../../state/cluster';
import { READINESS_TONE, stateIcon } from '../../state/service';
import { Empty, Icon, IconButton, LinkButton, Menu, Notice, PageHead, Spinner, Tabs, type Tab } from '../../ui';
import { Announcer } from '../monitoring/Announcer';
import { Unreachable } from '../monitoring/Cell';
import { Legend } from '../monitoring/Legend';
import { detailsHref, nodeMenu } from '../monitoring/menus';
import { DataLine, Reintegration, Shares, StateBadge } from '../monitoring/State';
import { Explain } from './Explain';
import { Information } from './Information';
import { Logs } from './Logs';
import { Replication } from './Replication';
import { Rescue } from './Rescue';
import { Resources } from './Resources';
import { useModuleState } from './useModule';

type TabId = 'logs' | 'resources' | 'replication' | 'explain' | 'information' | 'rescue';

const ICONS: Record<TabId, Tab['icon']> = {
  logs: 'log', resources: 'activity', replication: 'sync', explain: 'bulb', information: 'info', rescue: 'archive',
};

/** A module on a node (WEB-07): its state above, sub-pages below. */
export function ModuleDetails({ module, node, tab }: { module: string; node: string; tab: string }) {
  const found = moduleOn(module, node);
  useEffect(() => {
    document.title = `${t('details.title', { module, node })} · SafeKit`;
  });
  const waiting = !found && rows.value.some((r) => r.node === node);
  if (!known.value || waiting) return <Spinner />;
  if (!found?.module) {
    return (
      <Empty icon="search" title={t('details.gone', { module, node })} action={<LinkButton href={href('/monitoring')}>{t('app.notFound.home')}</LinkButton>}>
        <p>{t('details.gone.text')}</p>
      </Empty>
    );
  }
  return <Details view={found.node} module={found.module} tab={tab} />;
}

function Details({ view, module, tab }: { view: NodeView; module: ModuleOverview; tab: string }) {
  const name = module.module;
  const old = !view.reachable || stale.value;
  const menu = () => nodeMenu({ node: view.name, module }, spotsOf(name).filter((s) => s.node !== view.name), !old);
  const ids = tabsOf(module);
  const [legend, setLegend] = useState(false);
  const current = ids.find((id) => id === tab) ?? 'logs';
  return (
    <>
      <PageHead
        crumbs={[{ label: t('monitoring.title'), href: href('/monitoring') }, { label: name }]}
        title={t('details.title', { module: name, node: view.name })}
        titleEnd={<IconButton icon="help" label={t('legend.open')} onClick={() => setLegend(true)} />}
        actions={
          <>
            <Siblings module={name} current={view.name} tab={current} />
            <Menu label={t('monitoring.nodeMenu', { module: name, node: view.name })} items={menu}>
              <span class="button secondary normal">
                {t('details.actions')} <Icon name="chevronDown" size={15} />
              </span>
            </Menu>
          </>
        }
      />
      <Summary view={view} module={module} old={old} />
      <Tabs
        label={t('details.tabs', { module: name, node: view.name })}
        current={current}
        tabs={ids.map((id) => ({ id, label: t(`details.tab.${id}`), icon: ICONS[id]!, href: detailsHref(name, view.name, id) }))}
      />
      <SubPage key={current} tab={current} view={view} module={module} />
      <Announcer />
      {legend && <Legend onClose={() => setLegend(false)} />}
    </>
  );
}

/** Sub-pages that have something to show. */
function tabsOf(module: ModuleOverview): TabId[] {
  if (!module.configured) return ['logs', 'information'];
  if (module.mode === 'mirror') return ['logs', 'resources', 'replication', 'explain', 'information', 'rescue'];
  return ['logs', 'resources', 'explain', 'information'];
}

/** The same module on its other nodes. */
function Siblings({ module, current, tab }: { module: string; current: string; tab: string }) {
  const on = modules.value.find((m) => m.name === module)?.on ?? [];
  if (on.length < 2) return null;
  return (
    <nav class="siblings" aria-label={t('details.nodes', { module })}>
      {on.map(({ node, module: its }) => {
        const tone = node.reachable && its.configured ? READINESS_TONE[its.readiness] : 'grey';
        return (
          <a key={node.name} class={`state ${tone}`} href={detailsHref(module, node.name, tab)} aria-current={node.name === current ? 'page' : undefined}>
            <Icon name={stateIcon(its.role, its.readiness)} size={15} />
            <strong>{node.name}</strong>
          </a>
        );
      })}
    </nav>
  );
}

function Summary({ view, module, old }: { view: NodeView; module: ModuleOverview; old: boolean }) {
  const tone = old ? 'grey' : READINESS_TONE[module.readiness];
  return (
    <section class={`cell summary ${tone} ${old ? 'old' : ''}`}>
      <div class="summary-state">
        {module.configured ? <StateBadge role={module.role} readiness={module.readiness} large /> : <strong>{t('monitoring.notConfigured')}</strong>}
        {module.since && <p class="line soft since">{t('state.since', { date: shortDate(module.since, today()) })}</p>}
      </div>
      <div class="summary-lines">
        {module.configured && module.readiness !== 'Transient' && <p class="line">{t(`role.${module.role}`)}</p>}
        {module.reason && module.readiness !== 'Ready' && <p class="line reason">{module.reason}</p>}
        {module.remote && <p class="line soft">{t('details.remote', { state: module.remote })}</p>}
        {!view.reachable && <Unreachable node={view} />}
      </div>
      <div class="summary-lines">
        <DataLine module={module} />
        <Shares module={module} />
        <Reintegration module={module} />
      </div>
    </section>
  );
}

function SubPage({ tab, view, module }: { tab: TabId; view: NodeView; module: ModuleOverview }) {
  const name = module.module;
  switch (tab) {
    case 'logs':
      return <Logs module={name} node={view.name} />;
    case 'resources':
    case 'replication':
      return <WithState tab={tab} view={view} module={module} />;
    case 'explain':
      return <Explain module={name} node={view.name} state={`${module.role} ${module.readiness} ${module.reason ?? ''}`} />;
    case 'information':
      return <Information module={module} view={view} />;
    case 'rescue':
      return <Rescue module={name} node={view.name} />;
  }
}

/** Sub-pages that follow the resources. */
function WithState({ tab, view, module }: { tab: 'resources' | 'replication'; view: NodeView; module: ModuleOverview }) {
  const { state, trouble } = useModuleState(module.module, view.name);
  if (!state) return trouble ? <Notice tone="bad">{trouble}</Notice> : <Spinner />;
  if (tab === 'replication') return <Replication module={module} node={view.name} state={state} />;
  return <Resources module={module.module} node={view.name} state={state} />;
}
