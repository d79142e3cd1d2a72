// What is edited in the module wizard. It lives outside of the page: neither another language nor a
// new login loses it.
import { computed, signal } from '@preact/signals';
import type { Moved } from '../../../api/client';
import { configuration } from '../../../api/configuration';
import type { Holding, ModuleFile, ModuleFiles } from '../../../api/types';
import { changedFiles, fileAt, USERCONFIG, withFile, withoutFile } from '../../../config/files';
import { here, nodes } from '../../../state/cluster';

export interface Draft {
  module: string;
  /** As the connection node had it when it was loaded. */
  origin: ModuleFiles;
  /** As it has it now. */
  base: ModuleFiles;
  files: ModuleFile[];
  /** What this page has saved on other nodes, or has compared with mine there. */
  there: Readonly<Record<string, ModuleFiles>>;
  /** Signatures of theirs that were compared with mine: what goes on was chosen. */
  decided: readonly string[];
  /** The wish of the administrator; null: nobody has chosen. */
  encrypt: boolean | null;
  known: Known;
}

/** What the administrator has seen and may therefore replace. It goes on growing while he applies. */
export interface Known {
  /** Signatures that the connection node has had since the module was loaded, the present one last. */
  here: string[];
  /** Of the other nodes: what was applied on them then, and what he was shown since. */
  others: Holding;
}

/** What nodes may hold when something is applied on them: what was saved there by somebody else and not applied is not
    among it, since nothing of it was to be seen. */
function others(module: string): Holding {
  const seen = nodes.peek().filter((node) => node.name !== here.peek() && node.overview);
  return Object.fromEntries(
    seen.map((node) => {
      const on = node.overview!.modules.find((one) => one.module === module);
      if (!on) return [node.name, ['']];
      return [node.name, on.active?.signature === on.current.signature ? [on.current.signature] : []];
    }),
  );
}

/** What a node may hold when something is applied on it. */
export function holdingOf(known: Known, node: string): Holding {
  return { [node]: [...(known.others[node] ?? ['']), ...known.here] };
}

/** What another node is taken to hold, until it says something else. */
export function heldBy(edited: Draft, node: string): ModuleFiles {
  return edited.there[node] ?? edited.origin;
}

export const draft = signal<Draft | null>(null);

/** Paths of the files that are not saved. */
export const unsaved = computed(() => (draft.value ? changedFiles(draft.value.base.files, draft.value.files) : []));

export const dirty = computed(() => unsaved.value.length > 0 || (draft.value?.encrypt ?? null) !== null);

/** Loads the module from the connection node; what was edited is forgotten. */
export async function loadDraft(module: string, moved?: Moved): Promise<void> {
  const seen = others(module);
  const base = await configuration.files(module, null, moved);
  const known = { here: [base.signature], others: seen };
  draft.value = { module, origin: base, base, files: base.files, there: {}, decided: [], encrypt: null, known };
}

/** Loads the module, then other files for it, which are not saved yet. */
export async function loadDraftWith(module: string, files: ModuleFile[], moved?: Moved): Promise<void> {
  await loadDraft(module, moved);
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

/** Other files instead of all that are edited. */
export function setFiles(files: ModuleFile[]): void {
  change({ files });
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
  if (!draft.value) return;
  draft.value.known.here.push(signature);
  change({ base: { signature, files: draft.value.files } });
}

/** What another node has now is this. */
export function isThere(node: string, held: ModuleFiles): void {
  shown(node, held.signature);
  if (draft.value) change({ there: { ...draft.value.there, [node]: held } });
}

/** After a conflict on another node: these files were chosen. */
export function choose(node: string, theirs: ModuleFiles, files: ModuleFile[]): void {
  isThere(node, theirs);
  change({ files, decided: [...(draft.value?.decided ?? []), theirs.signature] });
}

/** The connection node has other keys now. */
export function keyed(signature: string): void {
  if (draft.value) rebase({ ...draft.value.base, signature }, draft.value.files);
}

/** After a conflict: theirs is what is there now, and `files` is what was chosen. */
export function rebase(theirs: ModuleFiles, files: ModuleFile[]): void {
  draft.value?.known.here.push(theirs.signature);
  change({ base: theirs, files });
}

/** The administrator was shown what another node holds. */
export function shown(node: string, signature: string): void {
  const known = draft.value?.known.others;
  if (known) known[node] = [...(known[node] ?? []), signature];
}
