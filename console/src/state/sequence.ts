// A command that goes from node to node: the next one is asked when the module has arrived on the one before, so that a
// restart of all never stops the service everywhere at once.

import { effect } from '@preact/signals';
import type { ModuleOverview } from '../api/types';
import type { ControlCommand } from './effects';

type State = Pick<ModuleOverview, 'role' | 'readiness' | 'since' | 'starts'>;

/** A module on a node as the page sees it. */
export interface Seen {
  reachable: boolean;
  module: State | null;
}

/** What came of a command that was taken. */
export type End =
  | 'arrived'
  /** It settled in another state than it should. */
  | 'elsewhere'
  /** Nothing has changed for `NOTICE_MS`. */
  | 'unseen'
  /** The node does not answer any more. */
  | 'lost'
  /** It still changes after `SETTLE_MS`. */
  | 'late';

/** The nodes of a sequence, as the page knows and asks them. */
export interface Port {
  /** Reads signals. */
  see(node: string): Seen | null;
  /** Gives the command; whether it was taken. */
  send(node: string): Promise<boolean>;
  /** It was taken, and how it has ended. */
  end(node: string, end: End): void;
  /** They are left as they are because of another node. */
  skip(nodes: string[], because: string): void;
}

export const NOTICE_MS = 30_000;
export const SETTLE_MS = 10 * 60_000;
/** A module that starts anew may rest in STOP or WAIT for a moment. */
export const LINGER_MS = 10_000;

/** Stops and restarts; the rest goes to all nodes at once. */
export function goesOneByOne(command: ControlCommand): boolean {
  return ['stop', 'forcestop', 'restart', 'stopstart'].includes(command);
}

export async function oneByOne(command: ControlCommand, nodes: string[], port: Port): Promise<void> {
  const arrived: { node: string; before: State }[] = [];
  for (const [i, node] of nodes.entries()) {
    const fallen = arrived.find((a) => !ends(command, a.before, port.see(a.node)));
    if (fallen) return port.skip(nodes.slice(i), fallen.node);
    const before = port.see(node)?.module;
    // Looked at from before it is sent: the change may be seen before the answer.
    const arrival = before ? new Arrival(command, before, () => port.see(node)) : null;
    const taken = await port.send(node);
    const end = taken && arrival ? await arrival.end() : 'lost';
    arrival?.close();
    if (taken) port.end(node, end);
    if (!taken || !before || end !== 'arrived') return port.skip(nodes.slice(i + 1), node);
    arrived.push({ node, before });
  }
}

/** Whether the module is where the command should lead it. */
function ends(command: ControlCommand, before: State, seen: Seen | null): boolean {
  const now = seen?.reachable ? seen.module : null;
  if (!now || now.readiness === 'Transient') return false;
  if (command === 'stop' || command === 'forcestop') return now.role === 'STOP';
  const runs = now.readiness === 'Ready' && now.role !== 'STOP' && now.role !== 'WAIT';
  return runs || (before.readiness !== 'Ready' && now.role === before.role);
}

/** What is seen alone may be an earlier change of the other node: a secondary that is back makes ALONE PRIM. */
function moved(before: State, now: State): boolean {
  if (now.readiness === 'Transient' || now.starts !== before.starts) return true;
  const sameRole = now.role === before.role;
  return sameRole ? now.since !== before.since : now.role === 'STOP' || now.role === 'WAIT';
}

/** Watches a module until it has arrived, or does not. */
class Arrival {
  private moves = false;
  private told: ((end: End) => void) | null = null;
  private readonly timers = new Map<End, ReturnType<typeof setTimeout>>();
  private readonly stop: () => void;

  constructor(
    private readonly command: ControlCommand,
    private readonly before: State,
    private readonly see: () => Seen | null,
  ) {
    this.stop = effect(() => this.look(see()));
  }

  /** Once the command was taken. */
  end(): Promise<End> {
    return new Promise((resolve) => {
      this.told = resolve;
      this.within('unseen', NOTICE_MS);
      this.within('late', SETTLE_MS);
      this.look(this.see());
    });
  }

  close(): void {
    this.stop();
    for (const timer of this.timers.values()) clearTimeout(timer);
  }

  private look(seen: Seen | null): void {
    const now = seen?.reachable ? seen.module : null;
    this.moves ||= now !== null && moved(this.before, now);
    if (!this.told) return;
    if (!now) return this.told('lost');
    if (!this.moves) return;
    this.drop('unseen');
    if (ends(this.command, this.before, seen)) return this.told('arrived');
    if (now.readiness === 'Transient') this.drop('elsewhere');
    else this.within('elsewhere', LINGER_MS);
  }

  private within(end: End, ms: number): void {
    if (!this.timers.has(end)) this.timers.set(end, setTimeout(() => this.told?.(end), ms));
  }

  private drop(end: End): void {
    clearTimeout(this.timers.get(end));
    this.timers.delete(end);
  }
}
