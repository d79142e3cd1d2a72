import { api } from '../../api/api';
import { lang, t } from '../../i18n';
import { href, pathOf } from '../../router';
import { may } from '../../session';
import { runOn, runOnAll, spotsOf } from '../../state/activity';
import { through } from '../../state/cluster';
import { effectsOn, FOR_ALL, isCommand, targets, type ControlCommand, type Spot } from '../../state/effects';
import { saveLogs } from '../../state/support';
import type { IconName, MenuItem } from '../../ui';

const ICONS: Record<ControlCommand, IconName> = {
  start: 'play', stop: 'stop', restart: 'restart', swap: 'swap', 'swap nosync': 'swap', stopstart: 'refresh', prim: 'star', 'prim fullsync': 'star', second: 'copy', 'second fullsync': 'copy', wait: 'wait',
  forcestop: 'power', 'checker on': 'eye', 'checker off': 'eyeOff', 'failover on': 'shield', 'failover off': 'shield',
};

const MAIN: ControlCommand[] = ['start', 'stop', 'restart', 'swap', 'swap nosync', 'stopstart', 'wait', 'forcestop'];
const FORCED: ControlCommand[] = ['prim', 'prim fullsync', 'second', 'second fullsync'];

/** Commands of which the name alone does not say which data go where. */
const HINTS = ['swap nosync', 'prim', 'prim fullsync', 'second', 'second fullsync'] as const;

function item(command: ControlCommand, danger: boolean, onSelect: () => void): MenuItem {
  const hinted = HINTS.find((c) => c === command);
  return { label: t(`command.${command}`), icon: ICONS[command], danger, onSelect, ...(hinted ? { hint: t(`hint.${hinted}`) } : {}) };
}

function section(heading: string | null, items: MenuItem[]): MenuItem[] {
  if (items.length === 0) return [];
  return heading ? [{ kind: 'heading', label: heading }, ...items] : items;
}

/** Address of the details of a module on a node. */
export function detailsHref(module: string, node: string, tab?: string): string {
  return href(pathOf('monitoring', 'modules', module, 'nodes', node, ...(tab ? [tab] : [])));
}

/** Actions of one node (WEB-30): what the state allows, for who may. */
export function nodeMenu(spot: Spot, others: Spot[], reachable: boolean): MenuItem[] {
  const name = spot.module.module;
  const offered = may('Control') && reachable ? spot.module.commands.filter(isCommand) : [];
  const make = (commands: ControlCommand[]) =>
    commands.map((c) => item(c, c === 'forcestop' || (c === 'stop' && (effectsOn(c, spot, others)?.danger ?? false)), () => void runOn(c, spot)));
  const main = MAIN.filter((c) => offered.includes(c));
  const forced = FORCED.filter((c) => offered.includes(c));
  const rest = offered.filter((c) => !main.includes(c) && !forced.includes(c));
  const items = [
    ...section(null, make(main)),
    ...section(t('command.forceStart'), make(forced)),
    ...section(t('command.settings'), make(rest)),
  ];
  if (may('Control') && reachable && items.length === 0) {
    items.push({ label: t('command.none'), disabled: true, onSelect: () => {} });
  }
  return [...items, ...support(name, spot.node, reachable)];
}

/** What everybody may: look closer and take the logs along. */
function support(module: string, node: string, reachable: boolean): MenuItem[] {
  const logs: MenuItem[] = reachable
    ? [
        { kind: 'link', label: t('command.log'), icon: 'download', download: true, href: logHref(module, node, false) },
        { kind: 'link', label: t('command.logVerbose'), icon: 'download', download: true, href: logHref(module, node, true) },
      ]
    : [];
  return [
    { kind: 'heading', label: t('command.debug') },
    { kind: 'link', label: t('command.details'), icon: 'search', href: detailsHref(module, node) },
    ...logs,
  ];
}

export function logHref(module: string, node: string, all: boolean): string {
  return api.logText(through(node), module, { all, lang: lang.value });
}

/** Actions on all nodes of a module. */
export function moduleMenu(module: string): MenuItem[] {
  const spots = spotsOf(module);
  const possible = may('Control') ? FOR_ALL.filter((c) => targets(c, spots).length > 0) : [];
  const make = (c: ControlCommand) => item(c, c === 'stop' || c === 'forcestop', () => void runOnAll(c, module));
  const main = possible.filter((c) => MAIN.includes(c)).map(make);
  const settings = possible.filter((c) => !MAIN.includes(c)).map(make);
  const none: MenuItem = { label: t('command.none'), disabled: true, onSelect: () => {} };
  const actions = main.length + settings.length === 0 && may('Control') ? [none] : main;
  return [...section(t('monitoring.allNodes'), actions), ...section(t('command.settings'), settings), ...supportOfAll(module)];
}

/** The logs of all nodes that answer, in one archive. */
function supportOfAll(module: string): MenuItem[] {
  const nodes = spotsOf(module).map((spot) => spot.node);
  const take = (label: string, all: boolean): MenuItem => ({ label, icon: 'download', disabled: nodes.length === 0, onSelect: () => void saveLogs(module, nodes, all) });
  return section(t('command.debug'), [take(t('support.logs'), false), take(t('support.logsVerbose'), true)]);
}
