// What a page holds of a log: what comes, what was missed, and what is older.

import { signal } from '@preact/signals';
import type { LogLine } from '../api/types';
import { filterLines, isOpen, merge, type LogFilter } from './logs';

/** A page of the log that is asked for. */
export interface LogQuery {
  count: number;
  before?: number;
  /** Letters with commas between. */
  levels?: string;
  text?: string;
}

/** Messages that are read at once. */
export const CHUNK = 300;
/** Messages of the time without a connection that are read at most. */
export const CATCH_UP = 10 * CHUNK;
/** Messages that are held at most. */
export const MOST = 5_000;

export class LogFeed {
  /** Messages without a hole between them, oldest first. */
  readonly lines = signal<LogLine[]>([]);
  /** Older ones that fit the filter. */
  readonly found = signal<LogLine[]>([]);
  readonly loaded = signal(false);
  readonly error = signal<unknown>(null);
  readonly busy = signal(false);
  /** Too much was said without a connection: messages before `lines` are not held any more. */
  readonly gap = signal(false);
  /** The last message that is shown while it is paused. */
  readonly frozen = signal<number | null>(null);
  /** There may be older messages, and older ones that fit the filter. */
  private readonly more = signal(true);
  private readonly moreFound = signal(true);
  /** Nothing is missing up to this message, while what was missed after it is read. */
  private missing: { after: number } | null = null;
  private reading = 0;

  constructor(private readonly read: (query: LogQuery) => Promise<LogLine[]>) {}

  /** Messages to show, oldest first. */
  shown(filter: LogFilter): LogLine[] {
    const until = this.frozen.value ?? Infinity;
    return filterLines([...this.found.value, ...this.lines.value.filter((line) => line.id <= until)], filter);
  }

  /** Messages that came while it was paused. */
  held(): number {
    const from = this.frozen.value;
    return from === null ? 0 : this.lines.value.filter((line) => line.id > from).length;
  }

  pause(paused: boolean): void {
    this.frozen.value = paused ? (this.lines.peek().at(-1)?.id ?? 0) : null;
    if (!paused) this.put(this.lines.peek());
  }

  /** Messages that were said now. */
  came(lines: LogLine[]): void {
    this.put(merge(this.lines.peek(), lines));
  }

  /** Reads what was said before the connection was there: nothing is missed after that. */
  async opened(): Promise<void> {
    const last = this.lines.peek().at(-1);
    this.missing ??= last ? { after: last.id } : null;
    const [turn, after] = [++this.reading, this.missing?.after ?? null];
    try {
      const { lines, first } = await this.back(after);
      if (turn !== this.reading) return;
      this.missing = null;
      const joins = first || after === null || lines[0]!.id <= after;
      const now = this.lines.peek();
      this.gap.value = !joins;
      if (!joins) this.found.value = [];
      if (first || after === null || !joins) this.more.value = !first;
      this.put(merge(joins ? now : now.filter((line) => line.id > after), lines));
      this.error.value = null;
      this.loaded.value = true;
    } catch (error) {
      if (turn === this.reading) this.error.value = error;
    }
  }

  /** The newest messages, back to one of them; `first`: they begin with the first message of the log. */
  private async back(after: number | null): Promise<{ lines: LogLine[]; first: boolean }> {
    let lines = await this.read({ count: CHUNK });
    let first = lines.length < CHUNK;
    while (after !== null && !first && lines[0]!.id > after && lines.length < CATCH_UP) {
      const page = await this.read({ count: CHUNK, before: lines[0]!.id });
      lines = [...page, ...lines];
      first = page.length < CHUNK;
    }
    return { lines, first };
  }

  /** Whether there may be older messages that fit, and room for them. */
  hasOlder(filter: LogFilter): boolean {
    if (!this.more.value || filter.levels.size === 0) return false;
    return isOpen(filter) ? !this.full() : this.moreFound.value && this.found.value.length < MOST;
  }

  /** As many are held as there may be. */
  full(): boolean {
    return this.lines.value.length >= MOST;
  }

  /** The filter is another one. */
  filtered(): void {
    this.found.value = [];
    this.moreFound.value = true;
  }

  /** Reads older messages that fit the filter, however far back they are. */
  async older(filter: LogFilter): Promise<void> {
    const [open, known] = [isOpen(filter), this.found.peek()];
    const before = (known[0] ?? this.lines.peek()[0])?.id;
    const wanted = open ? {} : { levels: [...filter.levels].join(','), text: filter.text };
    this.busy.value = true;
    try {
      const lines = await this.read({ count: CHUNK, ...(before === undefined ? {} : { before }), ...wanted });
      this.error.value = null;
      // Another filter meanwhile, or the log has lost its old lines.
      if (this.found.peek() !== known || (known[0] ?? this.lines.peek()[0])?.id !== before) return;
      if (open) {
        this.more.value = lines.length === CHUNK;
        this.gap.value = false;
        this.put(merge(this.lines.peek(), lines));
      } else {
        this.moreFound.value = lines.length === CHUNK;
        this.found.value = [...lines, ...known];
      }
    } catch (error) {
      this.error.value = error;
    } finally {
      this.busy.value = false;
    }
  }

  /** Holds these, the newest of them if they are too many; what is shown of a paused log stays a while longer. */
  private put(lines: LogLine[]): void {
    const most = this.frozen.peek() === null ? MOST : 2 * MOST;
    if (lines.length > most) {
      this.more.value = true;
      this.filtered();
    }
    this.lines.value = lines.slice(-most);
  }
}
