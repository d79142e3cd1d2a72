import { computed, effect, signal } from '@preact/signals';
import { lang } from '../i18n';
import { api } from '../api/api';
import { dropEarly } from '../api/early';
import { follow, type Connection, type Stream } from '../api/stream';
import type { ModuleOverview, NodeEvent, NodeRow, Overview } from '../api/types';
import { session } from '../session';

/** What is known of a node of the cluster. */
export interface NodeView {
  /** Its name; the host name while there is no cluster. */
  name: string;
  /** It is in no cluster; `name` is its host name. */
  nameless: boolean;
  reachable: boolean;
  error: string | null;
  /** As it was when it answered last. */
  overview: Overview | null;
  /** When it was last heard of, milliseconds; null when it has not said anything yet. */
  seen: number | null;
}

const views = signal<ReadonlyMap<string, NodeView>>(new Map());
/** Rows of cluster.xml as the connection node has it; empty while there is no cluster. */
export const rows = signal<NodeRow[]>([]);
const stream = signal<Stream | null>(null);
/** The rows came, or cannot be had. */
const rowsAsked = signal(false);
/** The first node has told how it is, and it is known in which order they are shown. */
export const known = computed(() => views.value.size > 0 && rowsAsked.value);

/** How the stream from the connection node is. */
export const connection = computed<Connection>(() => stream.value?.connection.value ?? { state: 'connecting' });

/** The connection node is lost: what is shown is old. */
export const stale = computed(() => connection.value.state === 'reconnecting');

/** Name of the connection node. */
export const here = computed<string | null>(() => rows.value.find((r) => r.me)?.node ?? session.value?.node ?? null);

/** Nodes in the order of cluster.xml, then those that it does not name. */
export const nodes = computed<NodeView[]>(() => {
  const order = rows.value.map((r) => r.node);
  const place = (n: NodeView) => (order.includes(n.name) ? order.indexOf(n.name) : order.length);
  return [...views.value.values()].sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
});

/** A module and how it is on each node that has it. */
export interface ModuleView {
  name: string;
  on: { node: NodeView; module: ModuleOverview }[];
}

/** Modules by name, each with its nodes. */
export const modules = computed<ModuleView[]>(() => {
  const names = new Set(nodes.value.flatMap((n) => n.overview?.modules.map((m) => m.module) ?? []));
  return [...names].sort((a, b) => a.localeCompare(b)).map((name) => ({
    name,
    on: nodes.value.flatMap((node) => {
      const module = node.overview?.modules.find((m) => m.module === name);
      return module ? [{ node, module }] : [];
    }),
  }));
});

/** A module on a node, as it is now. */
export function moduleOn(name: string, node: string): { node: NodeView; module: ModuleOverview | null } | null {
  const view = views.value.get(node);
  if (!view) return null;
  return { node: view, module: view.overview?.modules.find((m) => m.module === name) ?? null };
}

/** Node for a request: null for the connection node, which needs no detour, and for one without a name. */
export function through(node: string): string | null {
  const nameless = views.peek().get(node)?.nameless ?? false;
  return nameless || node === here.peek() ? null : node;
}

let holders = 0;

/** Goes on following the cluster while nobody sees the page, until it is released. */
export function holdCluster(): () => void {
  holders += 1;
  return () => void (holders -= 1);
}

/** Begins to follow the cluster; again after a login. */
export function startCluster(): void {
  if (stream.peek()) return;
  stream.value = follow('/events', {
    keep: () => holders > 0,
    onOpen: () => void loadRows(),
    onEvent: (event) => {
      if (event.event === 'node') take(JSON.parse(event.data) as NodeEvent);
      if (event.event === 'gone') forget((JSON.parse(event.data) as { node: string }).node);
    },
  });
}

// The servers tell why in the language of the page.
let told = lang.peek();
effect(() => {
  if (lang.value === told) return;
  told = lang.value;
  const before = stream.peek();
  if (!before) return;
  before.close();
  stream.value = null;
  startCluster();
});

export function stopCluster(): void {
  dropEarly();
  stream.peek()?.close();
  stream.value = null;
  views.value = new Map();
  rows.value = [];
  rowsAsked.value = false;
}

/** Tries to reach the connection node now. */
export function reconnect(): void {
  stream.peek()?.retry();
}

/** A node without a cluster goes by its host name. */
const nameOf = (event: NodeEvent): string => event.node || event.overview?.host || '';

function forget(node: string): void {
  // Before its first word a node goes by its host name, too: what has come in its place stays.
  const gone = (view: NodeView) => (node === '' ? view.nameless : !view.nameless && view.name === node);
  views.value = new Map([...views.peek()].filter(([, view]) => !gone(view)));
}

/** Modules that are as before stay the same objects: what shows them is not drawn again. */
function keepEqual(before: Overview | null, now: Overview): Overview {
  const old = new Map(before?.modules.map((m) => [m.module, m]));
  const modules = now.modules.map((m) => {
    const known = old.get(m.module);
    return known && JSON.stringify(known) === JSON.stringify(m) ? known : m;
  });
  return { ...now, modules };
}

function take(event: NodeEvent): void {
  const name = nameOf(event);
  // Nothing is known of it, not even which one it is.
  if (name === '') return;
  const before = views.peek().get(name);
  const overview = event.overview ? keepEqual(before?.overview ?? null, event.overview) : (before?.overview ?? null);
  const seen = event.reachable ? Date.now() : (before?.seen ?? overview?.time ?? null);
  const { reachable, error } = event;
  views.value = new Map(views.peek()).set(name, { name, nameless: event.node === '', reachable, error, overview, seen });
  const changed = before?.overview?.cluster?.signature !== overview?.cluster?.signature;
  // A node of a cluster that was not there, as after the first configuration.
  const joined = event.node !== '' && !rows.peek().some((row) => row.node === name);
  if ((before && changed) || joined) void loadRows();
}

let reading = false;
let again = false;

/** Reads cluster.xml's nodes; once more at the end when they have changed meanwhile. */
async function loadRows(): Promise<void> {
  // Those that come while the rows are read for the first time are in them.
  if (reading) {
    again = rows.peek().length > 0;
    return;
  }
  reading = true;
  do {
    again = false;
    await readRows();
  } while (again);
  reading = false;
}

/** Takes the rows, and forgets the nodes that are no more. */
async function readRows(): Promise<void> {
  const next = await api.nodes().catch(() => null);
  if (!stream.peek()) return;
  rowsAsked.value = true;
  if (!next) return;
  rows.value = next;
  const names = next.map((r) => r.node);
  if (names.length === 0) return;
  const kept = [...views.peek()].filter(([name]) => names.includes(name));
  views.value = new Map(kept);
}
