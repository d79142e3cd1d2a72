// Groups, filter and pages of resources (resources.md). Pure.

import type { HistoryRow, ResourceRow } from '../api/types';

export const GROUPS = ['status', 'checkers', 'replication', 'all'] as const;
export type Group = (typeof GROUPS)[number];

const STATUS_CLASSES = ['state', 'usersetting', 'lbgroup', 'connections'];
const STATUS_NAMES = ['rfs.uptodate', 'rfs.degraded', 'rfs.reintegre_failed', 'heart.maxloop'];
const NO_CHECKERS = ['state', 'usersetting', 'rfs', 'lbgroup', 'connections'];

/** Category and name: `custom.checkfile` is `checkfile` of `custom`; names may hold dots. */
export function split(resource: string): { category: string; name: string } {
  const dot = resource.indexOf('.');
  return dot < 0 ? { category: '', name: resource } : { category: resource.slice(0, dot), name: resource.slice(dot + 1) };
}

export function inGroup(resource: string, group: Group): boolean {
  const { category } = split(resource);
  if (group === 'status') return STATUS_CLASSES.includes(category) || STATUS_NAMES.includes(resource);
  if (group === 'checkers') return !NO_CHECKERS.includes(category);
  if (group === 'replication') return category === 'rfs';
  return true;
}

/** Resources of a group that hold the text in a name, a label or a value. */
export function filterResources(rows: ResourceRow[], group: Group, text: string): ResourceRow[] {
  const wanted = text.toLowerCase().trim();
  const holds = (row: ResourceRow) => `${row.resource} ${row.label} ${row.value}`.toLowerCase().includes(wanted);
  return rows.filter((row) => inGroup(row.resource, group) && holds(row));
}

/** What colour a value has: as text it says the same. */
export function valueTone(row: Pick<ResourceRow, 'resource' | 'value'>): 'good' | 'bad' | 'warning' | 'neutral' {
  const inverse = ['rfs.degraded', 'rfs.reintegre_failed', 'heart.maxloop'].includes(row.resource);
  const good = inverse ? ['down', 'false'] : ['up', 'on'];
  const bad = inverse ? ['up', 'true'] : ['down'];
  if (bad.includes(row.value)) return 'bad';
  if (good.includes(row.value)) return 'good';
  if (/ Ready$|^Ready$/.test(row.value)) return 'good';
  if (/ Transient$/.test(row.value)) return 'warning';
  return 'neutral';
}

/** Points of a plot: seconds and heights, with the words of the heights when they are no numbers. */
export interface Series {
  times: number[];
  values: number[];
  /** Word of each height, from 0; null for numbers. */
  words: string[] | null;
}

/** From low to high, as far as values have an order. */
const ORDER = ['down', 'off', 'false', 'unknown', 'init', 'up', 'on', 'true'];

export function seriesOf(rows: HistoryRow[]): Series {
  const times = rows.map((row) => row.micros / 1e6);
  const numbers = rows.map((row) => Number(/^(-?\d+(?:\.\d+)?)\s?%?$/.exec(row.value)?.[1] ?? NaN));
  if (numbers.length > 0 && numbers.every(Number.isFinite)) return { times, values: numbers, words: null };
  const place = (word: string) => (ORDER.includes(word) ? ORDER.indexOf(word) : ORDER.length);
  const words = [...new Set(rows.map((row) => row.value))].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  return { times, values: rows.map((row) => words.indexOf(row.value)), words };
}
