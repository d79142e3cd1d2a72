// What a control command will do, said before it is done. Pure but for the language.

import type { ModuleOverview } from '../api/types';
import { t, type Key } from '../i18n';
import { serves } from './service';

/** The commands that a node may offer, as the API names them; `Command::MENU` of src/fsm/command.rs has the same ones. */
export const COMMANDS = [
  'start', 'prim', 'prim fullsync', 'second', 'second fullsync', 'stop', 'restart', 'swap', 'swap nosync', 'stopstart', 'wait', 'forcestop',
  'checker on', 'checker off', 'failover on', 'failover off',
] as const;

export type ControlCommand = (typeof COMMANDS)[number];

export function isCommand(word: string): word is ControlCommand {
  return (COMMANDS as readonly string[]).includes(word);
}

/** A module on a node, with its name. */
export interface Spot {
  node: string;
  module: ModuleOverview;
}

/** What is asked before a command is sent; null when nothing hurts. */
export interface Warning {
  effects: string[];
  danger: boolean;
}

const LOST = 'effect.connections' satisfies Key;

/** On one node; `others`: the same module on the other nodes. */
export function effectsOn(command: ControlCommand, spot: Spot, others: Spot[]): Warning | null {
  const node = spot.node;
  switch (command) {
    case 'start':
    case 'checker on':
    case 'failover on':
      return null;
    case 'checker off':
      return { effects: [t('effect.checkerOff', { node })], danger: false };
    case 'failover off':
      return { effects: [t('effect.failoverOff')], danger: false };
    case 'stop':
    case 'wait':
      return leaving(command, spot, others);
    case 'forcestop': {
      const { effects } = leaving('stop', spot, others);
      return { effects: [...effects, t('effect.force')], danger: true };
    }
    case 'restart':
      return restarting(spot);
    case 'swap':
      return swapping(spot, others);
    case 'swap nosync': {
      const [from, to] = swapped(spot, others);
      const { effects, danger } = swapping(spot, others);
      return { effects: [...effects, t('effect.nosync', { from, to })], danger };
    }
    case 'stopstart':
      return stopstarting(spot, others);
    case 'prim':
      return primary(spot, others);
    case 'prim fullsync': {
      const { effects, danger } = primary(spot, others);
      return { effects: [...effects, t('effect.primFull', { node, other: nameOf(others[0]) })], danger };
    }
    case 'second':
      return secondary(spot, others);
    case 'second fullsync': {
      const { effects, danger } = secondary(spot, others);
      return { effects: [...effects, t('effect.secondFull', { node, other: nameOf(others[0]) })], danger };
    }
  }
}

/** A node that does not answer has no name here. */
function nameOf(spot: Spot | undefined): string {
  return spot?.node ?? t('effect.otherNode');
}

/** The node that takes over when this one leaves; null when none does. */
function successor(spot: Spot, others: Spot[]): string | null {
  if (spot.module.role !== 'PRIM' || spot.module.commands.includes('failover on')) return null;
  const other = others.find((o) => o.module.role === 'SECOND' && o.module.readiness === 'Ready');
  return other?.node ?? null;
}

/** Nodes that go on serving a farm. */
function sharers(others: Spot[]): string {
  return others.filter((o) => o.module.role === 'UP' && o.module.readiness === 'Ready').map((o) => o.node).join(', ');
}

function leaving(command: 'stop' | 'wait', spot: Spot, others: Spot[]): Warning {
  const { node, module } = spot;
  const stays = command === 'wait' ? [t('effect.staysWaiting', { node })] : [];
  if (module.role === 'UP' && module.mode === 'farm' && sharers(others)) {
    return { effects: [t('effect.farmLeaves', { node, others: sharers(others) }), t(LOST), ...stays], danger: true };
  }
  const to = successor(spot, others);
  if (to) return { effects: [t('effect.moves', { from: node, to }), t(LOST), ...stays], danger: true };
  if (module.role === 'PRIM' && module.commands.includes('failover on')) {
    return { effects: [t('effect.noTakeover', { node }), ...stays], danger: true };
  }
  if (serves(module.role)) return { effects: [t('effect.serviceDown', { node }), ...stays], danger: true };
  if (module.role === 'SECOND') return { effects: [t('effect.secondLeaves', { node }), ...stays], danger: true };
  return { effects: [t('effect.stopsWaiting', { node })], danger: false };
}

function restarting({ node, module }: Spot): Warning {
  if (!serves(module.role)) return { effects: [t('effect.restartSecond', { node })], danger: false };
  return { effects: [t('effect.restart', { node }), t(LOST)], danger: true };
}

/** The node that is primary, and the one that becomes primary. */
function swapped(spot: Spot, others: Spot[]): [from: string, to: string] {
  const peer = nameOf(others.find((o) => o.module.role === 'PRIM' || o.module.role === 'SECOND'));
  return spot.module.role === 'PRIM' ? [spot.node, peer] : [peer, spot.node];
}

function swapping(spot: Spot, others: Spot[]): Warning {
  const [from, to] = swapped(spot, others);
  return { effects: [t('effect.moves', { from, to }), t('effect.becomesSecond', { from, to }), t(LOST)], danger: true };
}

function stopstarting(spot: Spot, others: Spot[]): Warning {
  const { node, module } = spot;
  const to = successor(spot, others);
  if (to) return { effects: [t('effect.moves', { from: node, to }), t('effect.comesBackSecond', { node }), t(LOST)], danger: true };
  if (module.role === 'UP' && module.mode === 'farm' && sharers(others)) {
    return { effects: [t('effect.farmLeaves', { node, others: sharers(others) }), t('effect.comesBack', { node }), t(LOST)], danger: true };
  }
  if (serves(module.role)) return { effects: [t('effect.interrupted', { node }), t(LOST)], danger: true };
  return { effects: [t('effect.restartSecond', { node })], danger: false };
}

function primary({ node, module }: Spot, others: Spot[]): Warning {
  const other = nameOf(others[0]);
  const effects = [t('effect.prim', { node }), t('effect.primOther', { node, other })];
  return { effects: module.uptodate === false ? [t('effect.primStale', { node }), ...effects] : effects, danger: true };
}

function secondary({ node }: Spot, others: Spot[]): Warning {
  const other = others.find((o) => serves(o.module.role));
  if (!other) return { effects: [t('effect.secondNoPrimary', { node })], danger: true };
  return { effects: [t('effect.second', { node, other: other.node })], danger: false };
}

/** On all nodes that accept it. */
export function effectsOnAll(command: ControlCommand, spots: Spot[]): Warning | null {
  const names = spots.map((s) => s.node).join(', ');
  const running = spots.filter((s) => serves(s.module.role)).map((s) => s.node).join(', ');
  switch (command) {
    case 'stop':
    case 'forcestop': {
      const effects = [running ? t('effect.allStop', { nodes: names }) : t('effect.allStopIdle', { nodes: names })];
      if (command === 'forcestop') effects.push(t('effect.force'));
      return { effects, danger: running !== '' || command === 'forcestop' };
    }
    case 'restart':
      return { effects: [t('effect.allRestart', { nodes: running || names }), ...inTurn(spots), t(LOST)], danger: true };
    case 'stopstart':
      return { effects: [t('effect.allStopstart', { nodes: names }), ...inTurn(spots), t(LOST)], danger: true };
    case 'swap': {
      const from = spots.find((s) => s.module.role === 'PRIM');
      return from ? effectsOn('swap', from, spots.filter((s) => s !== from)) : null;
    }
    case 'checker off':
      return { effects: [t('effect.checkerOff', { node: names })], danger: false };
    default:
      return spots[0] ? effectsOn(command, spots[0], spots.slice(1)) : null;
  }
}

const inTurn = (spots: Spot[]): string[] => (spots.length > 1 ? [t('effect.inTurn')] : []);

/** Nodes to send a command of the whole module to, in this order (`sequence.ts`). */
export function targets(command: ControlCommand, spots: Spot[]): Spot[] {
  const accepting = spots.filter((s) => s.module.commands.includes(command));
  if (command === 'swap') return accepting.filter((s) => s.module.role === 'PRIM').slice(0, 1);
  if (command === 'restart') {
    const serving = accepting.filter((s) => serves(s.module.role));
    return serving.length > 0 ? serving : accepting;
  }
  if (!['stop', 'forcestop', 'stopstart'].includes(command)) return accepting;
  // The primary last: else its secondary would take over only to stop, or to give the application back.
  return [...accepting].sort((a, b) => Number(serves(a.module.role)) - Number(serves(b.module.role)));
}

/** Those of the module's menu: for one node, force starts make a decision that is no matter of all. */
export const FOR_ALL: ControlCommand[] = ['start', 'stop', 'restart', 'swap', 'stopstart', 'checker on', 'checker off', 'failover on', 'failover off', 'forcestop'];
