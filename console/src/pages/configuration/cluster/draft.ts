// What is edited in the cluster wizard; outside of the page, so that another language or a new login
// does not lose it.
import { computed, signal } from '@preact/signals';
import { configuration } from '../../../api/configuration';
import type { Holding } from '../../../api/types';
import { newCluster } from '../../../config/cluster';
import { isAddress } from '../../../config/validate';
import { nodes } from '../../../state/cluster';

export interface ClusterDraft {
  /** Text and signature on the connection node; null: not configured. */
  base: { xml: string; signature: string } | null;
  /** What the wizard began with. */
  first: string;
  text: string;
  known: Known;
}

/** What the administrator has seen and may therefore replace. */
export interface Known {
  /** Signatures that the connection node has had since the page was loaded; an empty one: none. */
  here: string[];
  /** Of the other nodes: then, and what he was shown since. */
  others: Holding;
}

/** What the nodes hold as far as this page shows it. */
export function seen(): Holding {
  const views = nodes.peek().filter((node) => node.overview);
  return Object.fromEntries(views.map((node) => [node.name, [node.overview!.cluster?.signature ?? '']]));
}

/** The administrator was shown what another node holds. */
export function shown(node: string, signature: string): void {
  const known = draft.value?.known.others;
  if (known) known[node] = [...(known[node] ?? []), signature];
}

/** What a node may hold when the configuration is applied on it. */
export function holdingOf(known: Known, node: string): Holding {
  return { [node]: [...(known.others[node] ?? ['']), ...known.here] };
}

export const draft = signal<ClusterDraft | null>(null);

export const dirty = computed(() => draft.value !== null && draft.value.text !== draft.value.first);

/** Loads what the connection node has; where nothing is configured, a first proposal. */
export async function loadCluster(host: string): Promise<void> {
  const others = seen();
  const found = await configuration.cluster();
  if (found.configured) {
    const known = { here: [found.signature], others };
    draft.value = { base: { xml: found.xml, signature: found.signature }, first: found.xml, text: found.xml, known };
    return;
  }
  const here = window.location.hostname;
  const addr = isAddress(here) && here !== 'localhost' && !here.startsWith('127.') ? here : '';
  const first = newCluster({ addr, name: host.split('.')[0] ?? '' });
  draft.value = { base: null, first, text: first, known: { here: [''], others } };
}

export function setText(text: string): void {
  if (draft.value) draft.value = { ...draft.value, text };
}

/** This is what the connection node has now. */
export function setBase(base: { xml: string; signature: string }): void {
  if (!draft.value) return;
  draft.value.known.here.push(base.signature);
  draft.value = { ...draft.value, base, first: base.xml };
}
