import { useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import type { ModuleOverview } from '../../../api/types';
import { t } from '../../../i18n';
import { go, href, onNode, pathOf } from '../../../router';
import { here, known, modules, rows, type ModuleView } from '../../../state/cluster';
import { Badge, Card, Empty, LinkButton, Menu, Notice, PageHead, Spinner } from '../../../ui';
import { serverDate } from '../parts/text';
import { NewModule } from './NewModule';
import { Restore, Unconfigure, Uninstall, Upload } from './actions';

/** Modules home (WEB-29); the page of a new module where there is none. */
export function ModulesHome() {
  const [acting, setActing] = useState<Acting | null>(null);
  return (
    <>
      <Home act={setActing} />
      {/* Outside of the list: a module that is uninstalled disappears from it before the action has ended. */}
      {acting && <ActionOf acting={acting} onClose={() => setActing(null)} />}
    </>
  );
}

interface Acting {
  what: 'upload' | 'restore' | 'unconfigure' | 'uninstall';
  module: ModuleView;
}

function ActionOf({ acting, onClose }: { acting: Acting; onClose: () => void }) {
  const { what, module } = acting;
  const toWizard = () => void go(pathOf('configuration', 'modules', module.name, 'config'));
  if (what === 'upload') return <Upload module={module.name} onClose={onClose} onDone={toWizard} />;
  if (what === 'restore') return <Restore module={module.name} onClose={onClose} onDone={toWizard} />;
  if (what === 'unconfigure') return <Unconfigure module={module} onClose={onClose} />;
  return <Uninstall module={module} onClose={onClose} />;
}

function Home({ act }: { act: (acting: Acting) => void }) {
  if (!known.value) return <Spinner />;
  if (rows.value.length === 0) return <NoCluster />;
  if (modules.value.length === 0) return <NewModule />;
  return (
    <>
      <PageHead
        title={t('configuration.modules')}
        help="modules"
        subtitle={t('modules.text')}
        actions={<LinkButton variant="primary" icon="plus" href={href('/configuration/modules/new')}>{t('modules.new')}</LinkButton>}
      />
      <div class="stack">
        {modules.value.map((module) => <ModuleCard key={module.name} module={module} act={(what) => act({ what, module })} />)}
      </div>
    </>
  );
}

export function NoCluster() {
  return (
    <Empty
      icon="cluster"
      title={t('modules.noCluster')}
      action={<LinkButton variant="primary" href={href('/configuration/cluster/config')}>{t('cluster.configure')}</LinkButton>}
    >
      <p>{t('modules.noCluster.text')}</p>
    </Empty>
  );
}

function ModuleCard({ module, act }: { module: ModuleView; act: (what: Acting['what']) => void }) {
  const first = module.on[0]!.module;
  const mine = module.on.find((on) => on.node.name === here.value)?.module ?? null;
  const wizard = pathOf('configuration', 'modules', module.name, 'config');
  const differ = new Set(module.on.map((on) => on.module.active?.signature ?? '')).size > 1;
  const keys = new Set(module.on.map((on) => on.module.encrypted)).size > 1;
  return (
    <Card
      flush
      icon="cube"
      class="module-card"
      title={
        <span class="module-title">
          {module.name} {first.mode && <Badge tone="info">{t(`mode.${first.mode}`)}</Badge>}
          <small class="muted">{t('modules.id', { id: first.id })}</small>
        </span>
      }
      actions={
        <>
          {mine && <LinkButton icon="edit" href={href(wizard)}>{t('modules.modify')}</LinkButton>}
          <Menu label={t('modules.actions', { module: module.name })} items={items(module, mine, act)} />
        </>
      }
    >
      {!mine && <NotHere module={module} />}
      {differ && <Notice tone="warning" title={t('modules.differ')}>{t('modules.differ.text')}</Notice>}
      {keys && <Notice tone="warning" title={t('modules.keysDiffer')}>{t('modules.keysDiffer.text')}</Notice>}
      <ul class="node-list">
        {module.on.map((on) => (
          <li key={on.node.name} class="module-node">
            <strong>{on.node.name}</strong>
            <span class="muted">{on.module.active ? t('modules.applied', { date: serverDate(on.module.active.date) }) : t('modules.neverApplied')}</span>
            <span class="row">
              <Saved module={on.module} />
              <Badge icon={on.module.encrypted ? 'lock' : 'unlink'} tone={on.module.encrypted ? 'good' : 'neutral'}>
                {t(on.module.encrypted ? 'modules.encrypted' : 'modules.clear')}
              </Badge>
              {!on.node.reachable && <Badge tone="bad" icon="unlink">{t('cluster.offline')}</Badge>}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** A module is configured on its own nodes: their consoles. */
function NotHere({ module }: { module: ModuleView }) {
  const names = module.on.map((on) => on.node.name);
  const consoles = rows.value.filter((row) => names.includes(row.node) && row.command);
  return (
    <Notice
      tone="info"
      actions={consoles.map((row) => <a key={row.node} class="button secondary small" href={onNode(row.command)}>{t('modules.consoleOf', { node: row.node })}</a>)}
    >
      {t('modules.notHere', { node: here.value ?? '' })}
    </Notice>
  );
}

function items(module: ModuleView, mine: ModuleOverview | null, act: (what: Acting['what']) => void) {
  const local = mine
    ? [
        { kind: 'link' as const, label: t('modules.download'), icon: 'download' as const, hint: t('modules.download.hint'), href: configuration.archive(module.name), download: true },
        { label: t('modules.upload'), icon: 'upload' as const, hint: t('modules.upload.hint'), onSelect: () => act('upload') },
        { label: t('modules.restore'), icon: 'archive' as const, hint: t('modules.restore.hint'), onSelect: () => act('restore') },
        { kind: 'link' as const, label: t('modules.keys'), icon: 'key' as const, hint: t('modules.keys.hint'), href: `${href(pathOf('configuration', 'modules', module.name, 'config'))}?step=encryption` },
        { kind: 'separator' as const },
      ]
    : [];
  return [
    ...local,
    { label: t('modules.unconfigure'), icon: 'xCircle' as const, hint: t('modules.unconfigure.hint'), onSelect: () => act('unconfigure') },
    { label: t('modules.uninstall'), icon: 'trash' as const, hint: t('modules.uninstall.hint'), danger: true, onSelect: () => act('uninstall') },
  ];
}

/** What is saved on the node and not applied. */
function Saved({ module }: { module: ModuleOverview }) {
  if (!module.current.signature || module.current.signature === module.active?.signature) return null;
  return (
    <Badge tone="warning" icon="clock" title={t('modules.saved.text')}>
      {t('modules.saved', { date: serverDate(module.current.date) })}
    </Badge>
  );
}
