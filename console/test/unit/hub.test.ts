import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ModuleOverview, NodeEvent, NodeRow } from '../../src/api/types';
import { here, known, moduleOn, modules, nodes, startCluster, stopCluster, through } from '../../src/state/cluster';

let rows: Partial<NodeRow>[];
let stream: ReadableStreamDefaultController<Uint8Array>;

beforeEach(async () => {
  rows = [];
  vi.stubGlobal('fetch', (target: string) => {
    if (target.endsWith('/nodes')) return Promise.resolve(new Response(JSON.stringify(rows)));
    return Promise.resolve(new Response(new ReadableStream({ start: (c) => void (stream = c) })));
  });
});

afterEach(() => {
  stopCluster();
  vi.unstubAllGlobals();
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

async function begin(...names: string[]): Promise<void> {
  rows = names.map((node, i) => ({ node, me: i === 0, command: `10.0.0.${i}` }));
  startCluster();
  await settle();
}

async function tell(event: string, data: unknown): Promise<void> {
  stream.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  await settle();
}

function node(name: string, more: Partial<NodeEvent> & { host?: string; modules?: string[]; signature?: string } = {}): NodeEvent {
  const list = (more.modules ?? []).map((module) => ({ module }) as ModuleOverview);
  const cluster = more.signature ? { signature: more.signature, date: '', lock: false, trouble: null } : null;
  const overview = { node: name || null, host: more.host ?? `${name}.example.com`, safekit: '', time: 1000, cluster, modules: list };
  return { node: name, reachable: more.reachable ?? true, error: more.error ?? null, overview: more.overview === undefined ? overview : more.overview };
}

test('nodes are in the order of cluster.xml, modules by name with their nodes', async () => {
  await begin('b', 'a');
  await tell('node', node('a', { modules: ['web', 'db'] }));
  await tell('node', node('b', { modules: ['web'] }));
  expect(nodes.value.map((n) => n.name)).toEqual(['b', 'a']);
  expect(modules.value.map((m) => [m.name, m.on.map((x) => x.node.name)])).toEqual([['db', ['a']], ['web', ['b', 'a']]]);
});

test('a node that is lost keeps what it said last, and when', async () => {
  await begin('a', 'b');
  await tell('node', node('b', { modules: ['web'] }));
  const seen = nodes.value[0]!.seen;
  await tell('node', node('b', { reachable: false, error: 'timed out', overview: null }));
  expect(nodes.value[0]).toMatchObject({ reachable: false, error: 'timed out', seen });
  expect(moduleOn('web', 'b')?.module?.module).toBe('web');
});

test('a node that was never reached has the time of what is known of it', async () => {
  await begin('a', 'b');
  await tell('node', node('b', { reachable: false }));
  expect(nodes.value[0]!.seen).toBe(1000);
  await tell('node', node('a', { reachable: false, overview: null }));
  expect(moduleOn('web', 'a')?.node.seen).toBeNull();
});

test('requests go straight to the connection node, through it to the others', async () => {
  await begin('a', 'b');
  await tell('node', node('a'));
  await tell('node', node('b'));
  expect([here.value, through('a'), through('b')]).toEqual(['a', null, 'b']);
});

test('before its first word the connection node goes by its host name, and without a cluster for ever', async () => {
  await begin();
  await tell('node', node('server1', { reachable: false, error: 'not running', overview: null }));
  expect(known.value).toBe(true);
  await tell('node', node('', { host: 'server1' }));
  await tell('gone', { node: 'server1' });
  expect(nodes.value.map((n) => [n.name, n.nameless, n.reachable])).toEqual([['server1', true, true]]);
  expect(through('server1')).toBeNull();
});

test('the host name makes room for the name in the cluster', async () => {
  await begin();
  await tell('node', node('server1', { reachable: false, error: 'not running', overview: null }));
  rows = [{ node: 'a', me: true, command: '' }];
  await tell('node', node('a', { host: 'server1', signature: 'aa' }));
  await tell('gone', { node: 'server1' });
  expect(nodes.value.map((n) => n.name)).toEqual(['a']);
});

test('what has no name and says nothing is no node', async () => {
  await begin();
  await tell('node', node('', { reachable: false, overview: null }));
  expect([nodes.value, known.value]).toEqual([[], false]);
});

test('a node that joins a cluster under the name of its host is not lost with its old name', async () => {
  await begin();
  await tell('node', node('', { host: 'server1' }));
  await tell('node', node('server1', { host: 'server1', signature: 'aa' }));
  await tell('gone', { node: '' });
  expect(nodes.value.map((n) => [n.name, n.nameless])).toEqual([['server1', false]]);
});

test('nodes that leave the cluster are forgotten', async () => {
  await begin('a', 'b', 'c');
  for (const name of ['a', 'b', 'c']) await tell('node', node(name, { signature: 'aa' }));
  await tell('gone', { node: 'b' });
  expect(nodes.value.map((n) => n.name)).toEqual(['a', 'c']);
  // And with a new cluster.xml those that it does not name any more.
  rows = [{ node: 'a', me: true, command: '' }];
  await tell('node', node('a', { signature: 'bb' }));
  await expect.poll(() => nodes.value.map((n) => n.name)).toEqual(['a']);
});

test('a module that is as before stays the same object', async () => {
  await begin('a');
  await tell('node', node('a', { modules: ['db', 'web'] }));
  const before = modules.value.map((m) => m.on[0]!.module);
  const changed = node('a', { modules: ['db', 'web'] });
  changed.overview!.modules[1] = { module: 'web', role: 'UP' } as ModuleOverview;
  await tell('node', changed);
  const after = modules.value.map((m) => m.on[0]!.module);
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});

test('the rows are read once at the beginning, and what is shown waits for them', async () => {
  const asked: string[] = [];
  const fetch = globalThis.fetch;
  vi.stubGlobal('fetch', (target: string) => {
    asked.push(target);
    return fetch(target);
  });
  await begin('a', 'b');
  await tell('node', node('a'));
  await tell('node', node('b'));
  expect(asked.filter((a) => a.endsWith('/nodes')).length).toBe(1);
  expect(known.value).toBe(true);
});
