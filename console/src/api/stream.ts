import { type Signal, signal } from '@preact/signals';
import { lang } from '../i18n';
import { unauthenticated, url, type RequestOptions } from './client';
import { takeEarly } from './early';
import { problemOf } from './problem';
import { whenAsked } from './room';
import { EventDecoder, type ServerEvent } from './sse';

/** How a stream is: `live`, or lost since a time (milliseconds). */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'reconnecting'; since: number; attempt: number; why: string };

/** The server sends at least a comment each 10 s. */
const SILENCE_MS = 15_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** A page that nobody sees gives its streams back: browsers have six connections a server. */
const HIDDEN_MS = 2_000;
/** A stream that gave its connection to another window is opened again after this time, or up to twice as much. */
const GIVEN_MS = 60_000;
/** How often what it tells is read meanwhile. */
const READ_MS = 3_000;

/** Milliseconds before the n-th try, from 1; doubled each time, shortened at random by up to a third. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
  return Math.round(whole * (1 - random() / 3));
}

export interface Stream {
  connection: Signal<Connection>;
  /** Try again now instead of after the delay. */
  retry(): void;
  close(): void;
}

export interface StreamOptions extends Pick<RequestOptions, 'node' | 'query'> {
  onEvent(event: ServerEvent): void;
  /** Each time that the stream is open again: what follows is everything anew. */
  onOpen?(): void;
  /** Whether it is needed while nobody sees the page. */
  keep?(): boolean;
  /** Reads what the stream would tell: it can do without its connection for a while. */
  read?(): void;
}

/** Follows a stream of events for ever: reconnects by itself, with growing delays. */
export function follow(path: string, options: StreamOptions): Stream {
  const stream = new Follower(url(path, options), options);
  void stream.run();
  return stream;
}

class Follower implements Stream {
  readonly connection = signal<Connection>({ state: 'connecting' });
  private closed = false;
  private attempt = 0;
  private abort = new AbortController();
  private wake: () => void = () => {};
  private hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  /** Until when the connection is given to another window. */
  private givenUntil = 0;
  private readonly leave: () => void = () => {};

  constructor(
    private readonly target: string,
    private readonly options: StreamOptions,
  ) {
    globalThis.document?.addEventListener('visibilitychange', this.visibility);
    globalThis.window?.addEventListener('online', this.retry);
    globalThis.window?.addEventListener('offline', this.cut);
    if (options.read) this.leave = whenAsked(this.give);
    // Opened in the background.
    if (this.hidden()) this.visibility();
  }

  retry = (): void => {
    this.attempt = 0;
    this.wake();
  };

  close(): void {
    this.closed = true;
    globalThis.document?.removeEventListener('visibilitychange', this.visibility);
    globalThis.window?.removeEventListener('online', this.retry);
    globalThis.window?.removeEventListener('offline', this.cut);
    clearTimeout(this.hiddenTimer);
    this.leave();
    this.abort.abort();
    this.wake();
  }

  async run(): Promise<void> {
    while (!this.closed) {
      if (this.given()) {
        await this.pause(this.hidden() ? null : READ_MS);
        if (!this.closed && !this.hidden()) this.options.read?.();
        continue;
      }
      const why = await this.once();
      if (this.closed) return;
      if (this.given()) continue;
      if (this.hidden()) {
        await this.pause(null);
        continue;
      }
      this.attempt += 1;
      this.lost(why);
      await this.pause(backoff(this.attempt));
    }
  }

  private lost(why: string): void {
    const now = this.connection.value;
    const since = now.state === 'reconnecting' ? now.since : Date.now();
    this.connection.value = { state: 'reconnecting', since, attempt: this.attempt, why };
  }

  /** One connection, until it ends; the reason of its end. */
  private async once(): Promise<string> {
    this.abort = new AbortController();
    try {
      const response = await this.open();
      if (!response.ok) {
        if (response.status === 401) unauthenticated();
        return (await problemOf(response)).message;
      }
      this.attempt = 0;
      this.connection.value = { state: 'live' };
      this.options.onOpen?.();
      return await this.read(response.body!.getReader());
    } catch {
      return '';
    } finally {
      this.abort.abort();
    }
  }

  private async open(): Promise<Response> {
    const early = takeEarly(this.target, lang.value);
    if (early) {
      this.abort = early.abort;
      const response = await within(SILENCE_MS, early.answer);
      if (response.ok) return response;
      this.abort = new AbortController();
    }
    const headers = { Accept: 'text/event-stream', 'Accept-Language': lang.value };
    const request = { headers, cache: 'no-store', credentials: 'same-origin', signal: this.abort.signal } as const;
    return within(SILENCE_MS, fetch(this.target, request));
  }

  private async read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
    const [text, decoder] = [new TextDecoder(), new EventDecoder()];
    for (;;) {
      const { done, value } = await within(SILENCE_MS, reader.read());
      if (done || this.closed) return '';
      for (const event of decoder.push(text.decode(value, { stream: true }))) this.options.onEvent(event);
    }
  }

  private pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private give = (): void => {
    if (!this.given()) this.givenUntil = Date.now() + GIVEN_MS * (1 + Math.random());
    this.cut();
  };

  private given(): boolean {
    return this.givenUntil > Date.now();
  }

  private hidden(): boolean {
    return globalThis.document?.visibilityState === 'hidden' && !this.options.keep?.();
  }

  private visibility = (): void => {
    clearTimeout(this.hiddenTimer);
    if (globalThis.document?.visibilityState === 'hidden') this.hiddenTimer = setTimeout(this.rest, HIDDEN_MS);
    else this.retry();
  };

  /** Cut while nobody sees the page, as soon as it is not needed. */
  private rest = (): void => {
    if (this.hidden()) this.cut();
    else this.hiddenTimer = setTimeout(this.rest, HIDDEN_MS);
  };

  private cut = (): void => this.abort.abort();
}

/** What the promise gives, or a rejection when nothing comes within the time. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('silent')), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
