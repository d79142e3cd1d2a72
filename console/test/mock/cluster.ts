// A cluster in memory: what the mock of the API shows and what its commands change.

import type {
  CommandRow, LogLevel, LogLine, ModuleOverview, ModuleRole, NodeEvent, NodeRow, Overview, Readiness, ResourceRow, RoleName,
} from '../../src/api/types';
import { commandsOf, resourcesOf } from './modules';

export interface MockModule extends Omit<ModuleOverview, 'commands'> {
  resources: ResourceRow[];
  log: LogLine[];
  reasons: string[];
  advice: string[];
}

export interface MockNode {
  name: string;
  address: string;
  reachable: boolean;
  modules: Map<string, MockModule>;
  commands: CommandRow[];
}

export interface User {
  name: string;
  password: string;
  role: RoleName;
}

export const USERS: User[] = [
  { name: 'admin', password: 'pwd', role: 'Admin' },
  { name: 'operator', password: 'pwd', role: 'Control' },
  { name: 'observer', password: 'pwd', role: 'Monitor' },
];

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

/** A date as the daemon writes it. */
export function date(ms = Date.now(), micro = false): string {
  const d = new Date(ms);
  const day = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  const time = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return `${day} ${time}${micro ? `.${pad(d.getMilliseconds(), 3)}204` : ''}`;
}

export class MockCluster {
  readonly nodes = new Map<string, MockNode>();
  readonly listeners = new Set<(node: MockNode) => void>();
  readonly logListeners = new Set<(node: MockNode, module: MockModule, line: LogLine) => void>();
  readonly timers = new Set<ReturnType<typeof setTimeout>>();
  /** Which of `nodes` answers the browser. */
  here = 'node1';
  /** Most days of a token. */
  tokenDays = 3650;
  name = 'Production';
  signature = 'a1f2c3d4e5b60718293a4b5c6d7e8f90';
  /** Of nodes that have another one. */
  readonly signatures = new Map<string, string>();
  nextId = 1000;

  add(name: string, address: string): MockNode {
    const node: MockNode = { name, address, reachable: true, modules: new Map(), commands: [] };
    this.nodes.set(name, node);
    return node;
  }

  node(name: string): MockNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`no node ${name}`);
    return node;
  }

  overview(node: MockNode): Overview {
    const modules = [...node.modules.values()].map((m) => {
      const { resources: _r, log: _l, reasons: _s, advice: _a, ...shown } = m;
      return { ...shown, commands: commandsOf(m) };
    });
    const cluster = { signature: this.signatures.get(node.name) ?? this.signature, date: '2026-03-02T10:12:45', lock: false, trouble: null };
    return { node: node.name, host: `${node.name}.example.com`, safekit: '0.1.0', time: Date.now(), cluster, modules };
  }

  event(node: MockNode): NodeEvent {
    if (node.reachable) return { node: node.name, reachable: true, error: null, overview: this.overview(node) };
    return { node: node.name, reachable: false, error: `no answer from ${node.address}:9010: connection timed out`, overview: this.overview(node) };
  }

  rows(): NodeRow[] {
    return [...this.nodes.values()].map((n) => ({
      node: n.name,
      me: n.name === this.here,
      online: n.reachable,
      addresses: [{ lan: 'default', addr: n.address }],
      command: n.address,
      version: '0.1.0',
      signature: this.signature,
      date: '2026-03-02T10:12:45',
      lock: false,
    }));
  }

  changed(node: MockNode): void {
    for (const listener of this.listeners) listener(node);
  }

  /** Writes a line of the module log and tells the streams. */
  say(node: MockNode, module: MockModule, origin: string, level: LogLevel, text: string, at = Date.now()): void {
    const line: LogLine = { id: this.nextId++, date: date(at, true), origin, level, text };
    module.log.push(line);
    for (const listener of this.logListeners) listener(node, module, line);
  }

  /** A new state, in the log and in the resources of both nodes. */
  state(node: MockNode, module: MockModule, role: ModuleRole, readiness: Readiness): void {
    const primary = role === 'PRIM' || role === 'ALONE';
    const uptodate = module.uptodate === null ? null : primary || (role === 'SECOND' && readiness === 'Ready') || (role === 'STOP' && module.uptodate);
    Object.assign(module, { role, readiness, since: date(), reason: readiness === 'NotReady' ? `${role === 'STOP' ? 'stopped by an operator' : 'it waits for the other node'}` : null, uptodate, progress: null });
    this.say(node, module, 'heart', 'E', `Local state ${role} ${readiness}`);
    for (const other of this.nodes.values()) {
      const its = other.modules.get(module.module);
      if (!its || other === node || module.mode !== 'mirror') continue;
      its.remote = `${role} ${readiness}`;
      this.say(other, its, 'heart', 'E', `Remote state ${role} ${readiness}`);
      its.resources = resourcesOf(its);
      this.changed(other);
    }
    module.resources = resourcesOf(module);
    this.changed(node);
  }

  command(node: MockNode, user: string, text: string, code = 0, at = Date.now(), lasted = 0): void {
    const pid = 2000 + node.commands.length * 7;
    node.commands.push({ date: date(at, true), kind: 'safekit', module: text.split(' -m ')[1] ?? '', pid, event: 'START', text: `${text} -u ${user}` });
    node.commands.push({ date: date(at + lasted, true), kind: '', module: '', pid, event: 'END', text: String(code) });
  }

  later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, ms);
    this.timers.add(timer);
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }
}
