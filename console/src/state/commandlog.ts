// The command log as entries: the line of the start and that of the end belong together. Pure.

import type { CommandRow } from '../api/types';
import { elapsed } from '../format';

export interface CommandEntry {
  key: string;
  node: string;
  date: string;
  kind: string;
  module: string;
  text: string;
  /** Who gave it from a console; empty for the command line. */
  user: string;
  /** Exit code; null while it runs, and of events. */
  code: number | null;
  seconds: number | null;
  /** Something that happened, no command. */
  event: boolean;
}

/** Entries of the rows of a node, newest first. */
export function entriesOf(node: string, rows: CommandRow[]): CommandEntry[] {
  const open = new Map<number, CommandEntry>();
  const all: CommandEntry[] = [];
  for (const [i, row] of rows.entries()) {
    if (row.event === 'END') {
      const begun = open.get(row.pid);
      if (!begun) continue;
      open.delete(row.pid);
      begun.code = Number(row.text);
      begun.seconds = elapsed(begun.date, row.date);
      continue;
    }
    const { text, user } = userOf(row.text);
    const { date, kind, module } = row;
    const entry: CommandEntry = { key: `${node} ${row.date} ${row.pid} ${i}`, node, date, kind, module, text, user, code: null, seconds: null, event: row.event !== 'START' };
    all.push(entry);
    if (!entry.event) open.set(row.pid, entry);
  }
  return all.reverse();
}

/** `stop -m AM -u admin@10.0.0.5` without the user, and the user. */
function userOf(text: string): { text: string; user: string } {
  const found = / -u (\S+)/.exec(text);
  return found ? { text: text.replace(found[0], ''), user: found[1]! } : { text, user: '' };
}

/** Entries of several nodes by date, newest first. */
export function byDate(lists: CommandEntry[][]): CommandEntry[] {
  return lists.flat().sort((a, b) => b.date.localeCompare(a.date));
}

export function filterEntries(entries: CommandEntry[], text: string, events: boolean): CommandEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((e) => {
    const all = `${e.node} ${e.module} ${e.text} ${e.user} ${e.kind}`.toLowerCase();
    return (events || !e.event) && words.every((word) => all.includes(word));
  });
}
