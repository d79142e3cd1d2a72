import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ModuleRole, Readiness } from '../../src/api/types';
import type { ControlCommand } from '../../src/state/effects';
import { LINGER_MS, NOTICE_MS, oneByOne, SETTLE_MS, type Port, type Seen } from '../../src/state/sequence';

/** The nodes as a page hears of them: the answer of a command and what its stream shows are told apart. */
class Nodes implements Port {
  readonly said: string[] = [];
  readonly refuses = new Set<string>();
  private readonly seen = signal<ReadonlyMap<string, Seen>>(new Map());

  constructor(...nodes: [node: string, role: ModuleRole][]) {
    for (const [node, role] of nodes) this.show(node, role, role === 'STOP' || role === 'WAIT' ? 'NotReady' : 'Ready', 1);
  }

  show(node: string, role: ModuleRole, readiness: Readiness, starts = this.seen.peek().get(node)!.module!.starts): void {
    const module = { role, readiness, starts, since: `${role} ${readiness} ${starts}` };
    this.seen.value = new Map(this.seen.peek()).set(node, { reachable: true, module });
  }

  lose(node: string): void {
    this.seen.value = new Map(this.seen.peek()).set(node, { ...this.seen.peek().get(node)!, reachable: false });
  }

  see = (node: string): Seen | null => this.seen.value.get(node) ?? null;

  send = async (node: string): Promise<boolean> => {
    this.said.push(`send ${node}`);
    return !this.refuses.has(node);
  };

  end = (node: string, end: string): void => void this.said.push(`${node} ${end}`);

  skip = (nodes: string[], because: string): void => void this.said.push(`skip ${nodes.join(' ')} because of ${because}`);
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function farm(): Nodes {
  return new Nodes(['a', 'UP'], ['b', 'UP'], ['c', 'UP']);
}

function begin(command: ControlCommand, nodes: Nodes, ...names: string[]): void {
  void oneByOne(command, names, nodes);
}

test('the next node waits until the application runs again, however late the first change is seen', async () => {
  const nodes = farm();
  begin('restart', nodes, 'a', 'b', 'c');
  // The command is taken, and the page still sees what was before.
  await settle(5_000);
  expect(nodes.said).toEqual(['send a']);
  nodes.show('a', 'UP', 'Transient');
  await settle(60_000);
  expect(nodes.said).toEqual(['send a']);
  nodes.show('a', 'UP', 'Ready', 2);
  await settle();
  expect(nodes.said).toEqual(['send a', 'a arrived', 'send b']);
  // So quick that nothing but another start is seen.
  nodes.show('b', 'UP', 'Ready', 2);
  await settle();
  expect(nodes.said.slice(3)).toEqual(['b arrived', 'send c']);
});

test('a change that is seen before the answer counts', async () => {
  const nodes = farm();
  nodes.send = async (node) => {
    nodes.said.push(`send ${node}`);
    nodes.show(node, 'UP', 'Transient');
    nodes.show(node, 'UP', 'Ready');
    return true;
  };
  begin('restart', nodes, 'a', 'b');
  await settle();
  expect(nodes.said).toEqual(['send a', 'a arrived', 'send b', 'b arrived']);
});

test('without a change the sequence ends after a while', async () => {
  const nodes = farm();
  begin('restart', nodes, 'a', 'b', 'c');
  await settle(NOTICE_MS);
  expect(nodes.said).toEqual(['send a', 'a unseen', 'skip b c because of a']);
});

test('a command that is refused spares the nodes after it', async () => {
  const nodes = farm();
  nodes.refuses.add('a');
  begin('restart', nodes, 'a', 'b', 'c');
  await settle();
  expect(nodes.said).toEqual(['send a', 'skip b c because of a']);
});

test.each(['STOP', 'WAIT'] as const)('a node that ends in %s spares the nodes after it', async (role) => {
  const nodes = farm();
  begin('stopstart', nodes, 'a', 'b');
  nodes.show('a', 'UP', 'Transient');
  nodes.show('a', role, 'NotReady');
  await settle(LINGER_MS - 1);
  expect(nodes.said).toEqual(['send a']);
  await settle(1);
  expect(nodes.said).toEqual(['send a', 'a elsewhere', 'skip b because of a']);
});

test('a node that rests in STOP and WAIT on its way has not ended there', async () => {
  const nodes = farm();
  begin('stopstart', nodes, 'a', 'b');
  for (const role of ['STOP', 'WAIT', 'UP'] as const) {
    nodes.show('a', role, 'Transient');
    await settle(LINGER_MS);
    if (role !== 'UP') nodes.show('a', role, 'NotReady');
    await settle(LINGER_MS - 1);
  }
  nodes.show('a', 'UP', 'Ready', 2);
  await settle();
  expect(nodes.said).toEqual(['send a', 'a arrived', 'send b']);
});

test('a node that is lost, or never becomes stable, spares the nodes after it', async () => {
  for (const [end, what] of [['lost', (n: Nodes) => n.lose('a')], ['late', () => settle(SETTLE_MS)]] as const) {
    const nodes = farm();
    begin('restart', nodes, 'a', 'b');
    nodes.show('a', 'UP', 'Transient');
    await settle();
    await what(nodes);
    await settle();
    expect(nodes.said).toEqual(['send a', `a ${end}`, 'skip b because of a']);
  }
});

test('a node that falls after its turn spares those that still run', async () => {
  const nodes = farm();
  begin('restart', nodes, 'a', 'b', 'c');
  nodes.show('a', 'UP', 'Ready', 2);
  await settle();
  nodes.lose('a');
  nodes.show('b', 'UP', 'Ready', 2);
  await settle();
  expect(nodes.said).toEqual(['send a', 'a arrived', 'send b', 'b arrived', 'skip c because of a']);
});

test('the primary waits until its secondary has stopped; what it becomes meanwhile is no end', async () => {
  const nodes = new Nodes(['a', 'PRIM'], ['b', 'SECOND']);
  begin('stopstart', nodes, 'b', 'a');
  nodes.show('b', 'STOP', 'Transient');
  nodes.show('a', 'ALONE', 'Ready');
  nodes.show('b', 'SECOND', 'Transient');
  nodes.show('b', 'SECOND', 'Ready');
  await settle();
  expect(nodes.said).toEqual(['send b', 'b arrived', 'send a']);
  // Heard late: the primary has its secondary back.
  nodes.show('a', 'PRIM', 'Ready');
  await settle(1_000);
  expect(nodes.said).toHaveLength(3);
  nodes.show('a', 'SECOND', 'Transient');
  nodes.show('a', 'SECOND', 'Ready');
  await settle();
  expect(nodes.said.slice(3)).toEqual(['a arrived']);
});

test('a stop ends in STOP', async () => {
  const nodes = new Nodes(['a', 'PRIM'], ['b', 'SECOND']);
  begin('stop', nodes, 'b', 'a');
  nodes.show('b', 'SECOND', 'Transient');
  nodes.show('b', 'STOP', 'NotReady');
  await settle();
  expect(nodes.said).toEqual(['send b', 'b arrived', 'send a']);
});

test('what did not run need not run afterwards', async () => {
  const nodes = new Nodes(['a', 'WAIT'], ['b', 'WAIT']);
  begin('restart', nodes, 'a', 'b');
  nodes.show('a', 'WAIT', 'Transient');
  nodes.show('a', 'WAIT', 'NotReady');
  await settle();
  expect(nodes.said).toEqual(['send a', 'a arrived', 'send b']);
});
