/** The files of a module while they are edited: what changed, and what to do when somebody else saved meanwhile. */
import type { ModuleFile } from '../api/types';

export const USERCONFIG = 'conf/userconfig.xml';

/** How a file differs between what was loaded (base), what another saved (theirs) and what is edited (mine). */
export interface Clash {
  path: string;
  base: ModuleFile | null;
  theirs: ModuleFile | null;
  mine: ModuleFile | null;
  /** Who changed it; with `both` one must be chosen. */
  by: 'them' | 'me' | 'both';
}

export function fileAt(files: readonly ModuleFile[], path: string): ModuleFile | null {
  return files.find((file) => file.path === path) ?? null;
}

/** Replaces the file of that path, or adds it in the order of paths. */
export function withFile(files: readonly ModuleFile[], file: ModuleFile): ModuleFile[] {
  const others = files.filter((other) => other.path !== file.path);
  return [...others, file].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function withoutFile(files: readonly ModuleFile[], path: string): ModuleFile[] {
  return files.filter((file) => file.path !== path);
}

export function sameFile(a: ModuleFile | null, b: ModuleFile | null): boolean {
  if (!a || !b) return a === b;
  return a.text === b.text && a.base64 === b.base64 && a.executable === b.executable;
}

/** Paths of both, each once. */
function paths(...lists: (readonly ModuleFile[])[]): string[] {
  return [...new Set(lists.flat().map((file) => file.path))].sort();
}

/** Paths of the files that were edited, added or removed. */
export function changedFiles(base: readonly ModuleFile[], mine: readonly ModuleFile[]): string[] {
  return paths(base, mine).filter((path) => !sameFile(fileAt(base, path), fileAt(mine, path)));
}

/** Every file that is not as it was loaded, on either side. A change that both made alike is no clash. */
export function clashes(base: readonly ModuleFile[], theirs: readonly ModuleFile[], mine: readonly ModuleFile[]): Clash[] {
  return paths(base, theirs, mine).flatMap((path) => {
    const [b, t, m] = [fileAt(base, path), fileAt(theirs, path), fileAt(mine, path)];
    if (sameFile(t, m)) return [];
    const by = sameFile(b, t) ? 'me' : sameFile(b, m) ? 'them' : 'both';
    return [{ path, base: b, theirs: t, mine: m, by } satisfies Clash];
  });
}

/** Their files with the ones chosen as mine. */
export function merged(theirs: readonly ModuleFile[], found: readonly Clash[], mine: ReadonlySet<string>): ModuleFile[] {
  return found
    .filter((clash) => mine.has(clash.path))
    .reduce<ModuleFile[]>((files, clash) => (clash.mine ? withFile(files, clash.mine) : withoutFile(files, clash.path)), [...theirs]);
}

/** Scripts of the application, which everybody edits: those that start and stop it. */
const MAIN = ['start_prim', 'stop_prim', 'start_both', 'stop_both', 'start_second', 'stop_second', 'start_sec', 'stop_sec'];

export interface Scripts {
  main: ModuleFile[];
  others: ModuleFile[];
}

/** The scripts of `bin/` in the order of their use, and every other file but userconfig.xml. */
export function scripts(files: readonly ModuleFile[]): Scripts {
  const rank = (file: ModuleFile) => MAIN.indexOf(file.path.replace(/^bin\//, ''));
  const main = files.filter((file) => file.path.startsWith('bin/') && rank(file) >= 0).sort((a, b) => rank(a) - rank(b));
  return { main, others: files.filter((file) => !main.includes(file) && file.path !== USERCONFIG) };
}
