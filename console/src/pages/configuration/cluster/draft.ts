// What is edited in the cluster wizard; outside of the page, so that another language or a new login
// does not lose it.
import { computed, signal } from '@preact/signals';
import { configuration } from '../../../api/configuration';
import { newCluster } from '../../../config/cluster';
import { isAddress } from '../../../config/validate';

export interface ClusterDraft {
  /** Text and signature on the connection node; null: not configured. */
  base: { xml: string; signature: string } | null;
  /** What the wizard began with. */
  first: string;
  text: string;
}

export const draft = signal<ClusterDraft | null>(null);

export const dirty = computed(() => draft.value !== null && draft.value.text !== draft.value.first);

/** Loads what the connection node has; where nothing is configured, a first proposal. */
export async function loadCluster(host: string): Promise<void> {
  const found = await configuration.cluster();
  if (found.configured) {
    draft.value = { base: { xml: found.xml, signature: found.signature }, first: found.xml, text: found.xml };
    return;
  }
  const here = window.location.hostname;
  const addr = isAddress(here) && here !== 'localhost' && !here.startsWith('127.') ? here : '';
  const first = newCluster({ addr, name: host.split('.')[0] ?? '' });
  draft.value = { base: null, first, text: first };
}

export function setText(text: string): void {
  if (draft.value) draft.value = { ...draft.value, text };
}

/** This is what the connection node has now. */
export function setBase(base: { xml: string; signature: string }): void {
  if (draft.value) draft.value = { ...draft.value, base, first: base.xml };
}
