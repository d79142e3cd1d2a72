import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { whenUnauthenticated } from '../../src/api/client';
import { hearWindows } from '../../src/api/room';
import { backoff, follow, type Stream } from '../../src/api/stream';

/** A server of streams: each connection is a controller that the test writes to. */
class Server {
  readonly opened: ReadableStreamDefaultController<Uint8Array>[] = [];
  /** Answers of the next connections instead of a stream. */
  readonly refusals: (number | 'unreachable')[] = [];

  fetch = (_url: string, init: RequestInit): Promise<Response> => {
    const refusal = this.refusals.shift();
    if (refusal === 'unreachable') return Promise.reject(new TypeError('failed to fetch'));
    if (refusal) return Promise.resolve(new Response('{"title":"no","detail":"why"}', { status: refusal }));
    const body = new ReadableStream<Uint8Array>({ start: (c) => void this.opened.push(c) });
    const mine = this.last();
    init.signal?.addEventListener('abort', () => {
      this.ended.add(mine);
      mine.error(new Error('aborted'));
    });
    return Promise.resolve(new Response(body, { status: 200 }));
  };

  private readonly ended = new Set<unknown>();

  /** Streams that are open now. */
  live(): number {
    return this.opened.filter((one) => !this.ended.has(one)).length;
  }

  last(): ReadableStreamDefaultController<Uint8Array> {
    return this.opened.at(-1)!;
  }

  say(text: string): void {
    this.last().enqueue(new TextEncoder().encode(text));
  }
}

let server: Server;
let stream: Stream;
let heard: string[];

function begin(): void {
  stream = follow('/events', { onEvent: (e) => heard.push(e.data), onOpen: () => heard.push('open') });
}

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  heard = [];
  vi.stubGlobal('fetch', server.fetch);
});

afterEach(() => {
  stream.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

test('it is live when it is open, and hands on what comes', async () => {
  begin();
  expect(stream.connection.value.state).toBe('connecting');
  await settle();
  server.say('event: node\ndata: one\n\n');
  await settle();
  expect(stream.connection.value.state).toBe('live');
  expect(heard).toEqual(['open', 'one']);
});

test('a stream that ends is told at once and opened again', async () => {
  begin();
  await settle();
  server.last().close();
  await settle();
  expect(stream.connection.value).toMatchObject({ state: 'reconnecting', attempt: 1 });
  await vi.advanceTimersByTimeAsync(600);
  expect(stream.connection.value.state).toBe('live');
  expect(heard).toEqual(['open', 'open']);
});

test('silence without comments is a lost connection', async () => {
  begin();
  await settle();
  await vi.advanceTimersByTimeAsync(10_000);
  server.say(': still here\n\n');
  await vi.advanceTimersByTimeAsync(14_000);
  expect(stream.connection.value.state).toBe('live');
  await vi.advanceTimersByTimeAsync(1_100);
  expect(stream.connection.value.state).toBe('reconnecting');
});

test('the time since which it is lost stays through all tries, and delays grow', async () => {
  server.refusals.push('unreachable', 503, 'unreachable', 'unreachable');
  const begun = Date.now();
  begin();
  await settle();
  const first = stream.connection.value;
  await vi.advanceTimersByTimeAsync(500 + 1000 + 2000);
  const now = stream.connection.value;
  expect(now).toMatchObject({ state: 'reconnecting', since: begun });
  expect(first).toMatchObject({ state: 'reconnecting', since: begun, attempt: 1 });
  await vi.advanceTimersByTimeAsync(4000);
  expect(stream.connection.value.state).toBe('live');
});

test('retry does not wait for the delay', async () => {
  server.refusals.push(...Array<'unreachable'>(30).fill('unreachable'));
  begin();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(stream.connection.value.state).toBe('reconnecting');
  server.refusals.length = 0;
  stream.retry();
  await settle();
  expect(stream.connection.value.state).toBe('live');
});

test('a session that has ended is told', async () => {
  const ended = vi.fn();
  whenUnauthenticated(ended);
  server.refusals.push(401);
  begin();
  await settle();
  expect(ended).toHaveBeenCalledOnce();
});

test('closed, it opens nothing more', async () => {
  begin();
  await settle();
  stream.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.opened).toHaveLength(1);
});

test('a page that nobody sees gives its stream back, and has it again when it is seen', async () => {
  const page = new EventTarget() as EventTarget & { visibilityState: string };
  const see = (state: string) => {
    page.visibilityState = state;
    page.dispatchEvent(new Event('visibilitychange'));
  };
  page.visibilityState = 'hidden';
  vi.stubGlobal('document', page);
  let needed = false;
  stream = follow('/events', { onEvent: () => {}, keep: () => needed });
  await vi.advanceTimersByTimeAsync(60_000);
  // Opened in the background.
  expect([server.opened.length, server.live()]).toEqual([1, 0]);
  see('visible');
  await settle();
  expect([server.live(), stream.connection.value.state]).toEqual([1, 'live']);
  needed = true;
  see('hidden');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(server.live()).toBe(1);
  needed = false;
  await vi.advanceTimersByTimeAsync(2_000);
  expect([server.live(), stream.connection.value.state]).toEqual([0, 'live']);
});

test('what another window needs is given for a while, and read meanwhile', async () => {
  const channel = { postMessage: vi.fn(), onmessage: (_: { data: string }) => {} };
  vi.stubGlobal('BroadcastChannel', function () {
    return channel;
  });
  hearWindows();
  const read = vi.fn();
  stream = follow('/log/events', { onEvent: () => {}, read });
  await settle();
  channel.onmessage({ data: 'room' });
  await vi.advanceTimersByTimeAsync(20_000);
  expect([server.live(), stream.connection.value.state]).toEqual([0, 'live']);
  expect(read).toHaveBeenCalledTimes(6);
  expect(channel.postMessage).toHaveBeenCalledWith('given');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(server.live()).toBe(1);
});

test('delays double up to ten seconds, shortened by at most a third', () => {
  expect([1, 2, 3, 5, 6, 20].map((n) => backoff(n, () => 0))).toEqual([500, 1000, 2000, 8000, 10_000, 10_000]);
  expect(backoff(6, () => 0.999999)).toBeGreaterThanOrEqual(6_666);
});
