import type { ModuleOverview } from '../../api/types';
import { clock, shortDate, today } from '../../format';
import { t } from '../../i18n';
import { running, spotsOf } from '../../state/activity';
import { stale, type NodeView } from '../../state/cluster';
import { READINESS_TONE } from '../../state/service';
import { Icon, Menu, useNow } from '../../ui';
import { detailsHref, nodeMenu } from './menus';
import { DataLine, Reintegration, Shares, StateBadge } from './State';

/** A module on a node. The whole cell opens the details. */
export function Cell({ node, module }: { node: NodeView; module: ModuleOverview }) {
  const old = !node.reachable || stale.value;
  const tone = old || !module.configured ? 'grey' : READINESS_TONE[module.readiness];
  const name = module.module;
  const state = `${module.role} ${module.readiness}`;
  const menu = () => nodeMenu({ node: node.name, module }, spotsOf(name).filter((s) => s.node !== node.name), !old);
  return (
    <div class={`cell ${tone} ${old ? 'old' : ''}`} data-testid={`cell-${name}-${node.name}`}>
      <div class="cell-head">
        <a class="cell-link" href={detailsHref(name, node.name)} aria-label={t('monitoring.open', { module: name, node: node.name, state })}>
          <span class="cell-node">{node.name}</span>
          {module.configured ? (
            <StateBadge role={module.role} readiness={module.readiness} />
          ) : (
            <span class="state grey">
              <Icon name="settings" size={18} />
              <strong>{t('monitoring.notConfigured')}</strong>
            </span>
          )}
        </a>
        <Menu label={t('monitoring.nodeMenu', { module: name, node: node.name })} items={menu} />
      </div>
      <div class="cell-body">
        {module.configured ? <Lines module={module} /> : <p class="line soft">{t('monitoring.notConfigured.text')}</p>}
        {!node.reachable && <Unreachable node={node} />}
        <Running module={name} node={node.name} />
      </div>
    </div>
  );
}

function Lines({ module }: { module: ModuleOverview }) {
  return (
    <>
      <Shares module={module} />
      <DataLine module={module} />
      {module.reason && module.readiness !== 'Ready' && !module.progress && <p class="line reason">{module.reason}</p>}
      <Reintegration module={module} />
      {module.since && <p class="line soft since">{t('state.since', { date: shortDate(module.since, today()) })}</p>}
    </>
  );
}

/** Why a node is grey, and since when. */
export function Unreachable({ node }: { node: NodeView }) {
  // It has not been asked for long: it may answer yet.
  if (node.error === null && node.seen === null) return <p class="line soft">{t('connection.connecting')}</p>;
  const seen = node.seen === null ? t('monitoring.never') : t('monitoring.seen', { time: clock(node.seen) });
  return (
    <p class="line bad" title={node.error ?? undefined}>
      <Icon name="unlink" size={15} />
      {t('monitoring.unreachable')}, {seen}
    </p>
  );
}

/** The command that this page has given and that has not ended. */
function Running({ module, node }: { module: string; node: string }) {
  const step = running.value.get(`${module}/${node}`);
  return step ? <Elapsed text={t('command.running', { command: t(`command.${step.command}`) })} since={step.since} /> : null;
}

function Elapsed({ text, since }: { text: string; since: number }) {
  const seconds = Math.floor((useNow() - since) / 1000);
  return (
    <p class="line info">
      <span class="ring small" aria-hidden="true" />
      {text} {seconds > 0 && <span>{seconds} s</span>}
    </p>
  );
}
