// What is edited in the module wizard. It lives outside of the page: neither another language nor a
// new login loses it.
import { computed, signal } from '@preact/signals';
import { configuration } from '../../../api/configuration';
import type { ModuleFile, ModuleFiles } from '../../../api/types';
import { changedFiles, fileAt, USERCONFIG, withFile, withoutFile } from '../../../config/files';

export interface Draft {
  module: string;
  /** As the connection node had it when it was loaded. */
  base: ModuleFiles;
  files: ModuleFile[];
  /** Signatures on other nodes, of what this page has saved there or has compared with mine. */
  there: Readonly<Record<string, string>>;
  /** Signatures of theirs that were compared with mine: what goes on was chosen. */
  decided: readonly string[];
  /** The wish of the administrator; null: nobody has chosen. */
  encrypt: boolean | null;
}

export const draft = signal<Draft | null>(null);

/** Paths of the files that are not saved. */
export const unsaved = computed(() => (draft.value ? changedFiles(draft.value.base.files, draft.value.files) : []));

export const dirty = computed(() => unsaved.value.length > 0 || (draft.value?.encrypt ?? null) !== null);

/** Loads the module from the connection node; what was edited is forgotten. */
export async function loadDraft(module: string): Promise<void> {
  const base = await configuration.files(module);
  draft.value = { module, base, files: base.files, there: {}, decided: [], encrypt: null };
}

/** Loads the module, then other files for it, which are not saved yet. */
export async function loadDraftWith(module: string, files: ModuleFile[]): Promise<void> {
  await loadDraft(module);
  change({ files });
}

export function dropDraft(): void {
  draft.value = null;
}

function change(next: Partial<Draft>): void {
  if (draft.value) draft.value = { ...draft.value, ...next };
}

export function setFile(file: ModuleFile): void {
  if (draft.value) change({ files: withFile(draft.value.files, file) });
}

export function removeFile(path: string): void {
  if (draft.value) change({ files: withoutFile(draft.value.files, path) });
}

export function setEncrypt(encrypt: boolean | null): void {
  change({ encrypt });
}

/** The text of userconfig.xml as it is edited. */
export const userconfig = computed(() => (draft.value && fileAt(draft.value.files, USERCONFIG)?.text) ?? '');

export function setUserconfig(text: string): void {
  const before = draft.value && fileAt(draft.value.files, USERCONFIG);
  setFile({ path: USERCONFIG, base64: null, executable: before?.executable ?? false, text });
}

/** Everything of the draft is on the connection node now. */
export function saved(signature: string): void {
  if (draft.value) change({ base: { signature, files: draft.value.files } });
}

/** What another node has now is this. */
export function isThere(node: string, signature: string): void {
  if (draft.value) change({ there: { ...draft.value.there, [node]: signature } });
}

/** After a conflict on another node: these files were chosen. */
export function choose(node: string, signature: string, files: ModuleFile[]): void {
  isThere(node, signature);
  change({ files, decided: [...(draft.value?.decided ?? []), signature] });
}

/** After a conflict: theirs is what is there now, and `files` is what was chosen. */
export function rebase(theirs: ModuleFiles, files: ModuleFile[]): void {
  change({ base: theirs, files });
}
