import { computed, effect, signal } from '@preact/signals';
import { api } from '../api/api';
import { asProblem } from '../api/problem';
import { t } from '../i18n';
import { confirm, problemDetail, problemTitle, said } from '../ui';
import { holdCluster, moduleOn, modules, through } from './cluster';
import { effectsOn, effectsOnAll, targets, type ControlCommand, type Spot, type Warning } from './effects';
import { goesOneByOne, NOTICE_MS, oneByOne, SETTLE_MS, type End } from './sequence';

/** A command on one of its nodes. */
export interface Step {
  node: string;
  state: 'waiting' | 'running' | 'moving' | 'done' | 'failed' | 'skipped';
  /** When it was sent, milliseconds. */
  since: number;
  /** What it said, or why it was skipped. */
  lines: string[];
}

/** A command that was given in this page. */
export interface Activity {
  id: number;
  module: string;
  command: ControlCommand;
  steps: Step[];
}

const SHOWN_MS = 7_000;

export const activities = signal<Activity[]>([]);
let next = 1;

/** Commands that run now, by `module/node`. */
export const running = computed(() => {
  const all = activities.value.flatMap((a) => a.steps.map((s) => ({ ...s, key: `${a.module}/${s.node}`, command: a.command })));
  return new Map(all.filter((s) => s.state === 'running').map((s) => [s.key, s]));
});

export function dismissActivity(id: number): void {
  activities.value = activities.value.filter((a) => a.id !== id);
}

/** Asks, then gives the command to one node. */
export async function runOn(command: ControlCommand, spot: Spot): Promise<void> {
  const others = spotsOf(spot.module.module).filter((s) => s.node !== spot.node);
  const warning = effectsOn(command, spot, others);
  if (await agreed(command, spot.module.module, spot.node, warning)) await give(command, spot.module.module, [spot]);
}

/** Asks, then gives the command to all nodes that accept it. */
export async function runOnAll(command: ControlCommand, module: string): Promise<void> {
  const spots = targets(command, spotsOf(module));
  const warning = effectsOnAll(command, command === 'swap' ? spotsOf(module) : spots);
  if (await agreed(command, module, null, warning)) await give(command, module, spots);
}

/** A module on the nodes that answer. */
export function spotsOf(module: string): Spot[] {
  const view = modules.value.find((m) => m.name === module);
  return (view?.on ?? []).filter((x) => x.node.reachable).map((x) => ({ node: x.node.name, module: x.module }));
}

async function agreed(command: ControlCommand, module: string, node: string | null, warning: Warning | null): Promise<boolean> {
  if (!warning) return true;
  const name = t(`command.${command}`);
  const title = node ? t('confirm.on', { command: name, module, node }) : t('confirm.all', { command: name, module });
  return confirm({ title, effects: warning.effects, confirm: name, danger: warning.danger });
}

async function give(command: ControlCommand, module: string, spots: Spot[]): Promise<void> {
  const id = next++;
  const steps = spots.map((s): Step => ({ node: s.node, state: 'waiting', since: Date.now(), lines: [] }));
  activities.value = [...activities.value.slice(-5), { id, module, command, steps }];
  const nodes = spots.map((s) => s.node);
  if (nodes.length > 1 && goesOneByOne(command)) await inTurn(id, command, module, nodes);
  else await Promise.all(nodes.map((node) => send(id, command, module, node, 'done')));
  const activity = activities.value.find((a) => a.id === id);
  if (!activity?.steps.every((s) => s.state === 'done')) return;
  // The command is taken before the module is where it leads: shown until then.
  setTimeout(() => void Promise.all(spots.map((s) => stable(module, s.node))).then(() => dismissActivity(id)), SHOWN_MS);
}

/** From node to node, for as long as all goes well. */
async function inTurn(id: number, command: ControlCommand, module: string, nodes: string[]): Promise<void> {
  const release = holdCluster();
  await oneByOne(command, nodes, {
    see: (node) => {
      const seen = moduleOn(module, node);
      return seen && { reachable: seen.node.reachable, module: seen.module };
    },
    send: (node) => send(id, command, module, node, 'moving'),
    end: (node, end) => step(id, node, end === 'arrived' ? { state: 'done' } : { state: 'failed', lines: [astray(end, module, node)] }),
    skip: (rest, because) => rest.forEach((node) => step(id, node, { state: 'skipped', lines: [t('activity.skipped.why', { node: because })] })),
  }).finally(release);
}

/** Why a command that was taken has not ended as it should. */
function astray(end: Exclude<End, 'arrived'>, module: string, node: string): string {
  const now = moduleOn(module, node)?.module;
  switch (end) {
    case 'elsewhere':
      return t('activity.elsewhere', { state: now ? `${now.role} ${now.readiness}` : '?' });
    case 'unseen':
      return t('activity.unseen', { seconds: NOTICE_MS / 1000 });
    case 'lost':
      return t('activity.lost');
    case 'late':
      return t('activity.late', { minutes: SETTLE_MS / 60_000 });
  }
}

/** Gives the command to a node; whether it was taken. */
async function send(id: number, command: ControlCommand, module: string, node: string, taken: 'moving' | 'done'): Promise<boolean> {
  step(id, node, { state: 'running', since: Date.now() });
  try {
    const outcome = await api.control(through(node), module, command);
    step(id, node, { state: outcome.code === 0 ? taken : 'failed', lines: said(outcome) });
    return outcome.code === 0;
  } catch (error) {
    const { output } = asProblem(error);
    const lines = [problemTitle(error), problemDetail(error), ...output];
    step(id, node, { state: 'failed', lines: [...new Set(lines.filter(Boolean))] });
    return false;
  }
}

function step(id: number, node: string, change: Partial<Step>): void {
  const changed = (s: Step) => (s.node === node ? { ...s, ...change } : s);
  activities.value = activities.value.map((a) => (a.id === id ? { ...a, steps: a.steps.map(changed) } : a));
}

/** Waits until the module moves no more on the node, or the node is lost. */
function stable(module: string, node: string): Promise<void> {
  return new Promise((resolve) => {
    let stop = () => {};
    const end = () => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(end, SETTLE_MS);
    stop = effect(() => {
      const now = moduleOn(module, node);
      if (!now?.node.reachable || now.module?.readiness !== 'Transient') queueMicrotask(end);
    });
  });
}
