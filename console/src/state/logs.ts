// Filters and slices of the module log. Pure.

import type { LogLevel, LogLine } from '../api/types';

/** Types of the main log, in the order of the filter. The others are verbose. */
export const MAIN_LEVELS = ['C', 'E', 'U', 'S'] as const;
export type MainLevel = (typeof MAIN_LEVELS)[number];

export function isMain(level: LogLevel): level is MainLevel {
  return (MAIN_LEVELS as readonly string[]).includes(level);
}

/** Which messages are wanted: of these types, with each word of the text, whatever its case. */
export interface LogFilter {
  levels: ReadonlySet<LogLevel>;
  text: string;
}

/** Whether every message of the main log is wanted. */
export function isOpen({ levels, text }: LogFilter): boolean {
  return text.trim() === '' && MAIN_LEVELS.every((level) => levels.has(level));
}

export function filterLines(lines: LogLine[], { levels, text }: LogFilter): LogLine[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return lines.filter((line) => {
    if (!levels.has(line.level)) return false;
    const all = `${line.origin} ${line.text}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** Both lists by id, each message once. */
export function merge(old: LogLine[], more: LogLine[]): LogLine[] {
  const known = new Set(old.map((line) => line.id));
  const fresh = more.filter((line) => !known.has(line.id));
  if (fresh.length === 0) return old;
  return [...old, ...fresh].sort((a, b) => a.id - b.id);
}

/** The message of the main log before one of them; null when it is the first that is known. */
export function previousMain(lines: LogLine[], line: LogLine): LogLine | null {
  return lines.findLast((l) => l.id < line.id && isMain(l.level)) ?? null;
}

/** Verbose messages from after the previous main message up to this one, itself too. */
export function between(all: LogLine[], line: LogLine): LogLine[] {
  const until = all.filter((l) => l.id <= line.id);
  const from = until.findLastIndex((l) => l.id < line.id && isMain(l.level));
  return until.slice(from + 1);
}

/** File that a message about a script names: `Script start_prim > userlog_..._start_prim.ulog`. */
export function scriptLog(line: LogLine): string | null {
  return line.level === 'S' ? (/\b(userlog_[\w.:-]+)/.exec(line.text)?.[1] ?? null) : null;
}
