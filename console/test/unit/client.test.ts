import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lang } from '../../src/i18n';
import { json, path, request, setCsrf, transfer, url, whenUnauthenticated } from '../../src/api/client';
import { Problem } from '../../src/api/problem';

let sent: { url: string; init: RequestInit }[];
let answer: () => Promise<Response>;

beforeEach(() => {
  sent = [];
  answer = () => Promise.resolve(new Response('{"ok":true}'));
  vi.stubGlobal('fetch', (target: string, init: RequestInit) => {
    sent.push({ url: target, init });
    return answer();
  });
  setCsrf('token');
});

afterEach(() => vi.unstubAllGlobals());

const problem = (promise: Promise<unknown>): Promise<Problem> => promise.then(() => Promise.reject(new Error('it succeeded')), (e: Problem) => e);

test('addresses: through a node or not, every part escaped', () => {
  expect(url('/modules')).toBe('/api/v1/modules');
  expect(url('/log', { node: 'a/b', query: { count: 3, all: true, lang: null, before: undefined } })).toBe('/api/v1/nodes/a%2Fb/log?count=3&all=true');
  expect(path`/modules/${'../x'}/resources/${'ip.fe80::1/64'}/history`).toBe('/modules/..%2Fx/resources/ip.fe80%3A%3A1%2F64/history');
});

test('servers learn the language of the page', async () => {
  await json('/modules');
  lang.value = 'fr';
  await json('/modules');
  lang.value = 'en';
  expect(sent.map((s) => new Headers(s.init.headers).get('Accept-Language'))).toEqual(['en', 'fr']);
});

test('what changes something carries the token, what only reads does not', async () => {
  await json('/modules', { method: 'POST', json: { a: 1 } });
  await json('/modules');
  const headers = sent.map((s) => new Headers(s.init.headers));
  expect(headers.map((h) => h.get('X-SafeKit-CSRF'))).toEqual(['token', null]);
  expect(sent[0]!.init.body).toBe('{"a":1}');
  expect(headers[0]!.get('Content-Type')).toBe('application/json');
});

test('a problem document is told with all its members', async () => {
  const body = { title: 'Unprocessable', detail: 'it runs', output: ['a'], faults: [{ what: 'x' }], node: 'node2', signature: 'ff' };
  answer = () => Promise.resolve(new Response(JSON.stringify(body), { status: 422 }));
  const found = await problem(request('/modules/m/config'));
  expect(found).toMatchObject({ status: 422, title: 'Unprocessable', detail: 'it runs', output: ['a'], node: 'node2', unreachable: false });
  expect(found.body['signature']).toBe('ff');
});

test('an answer that is no problem document is one all the same', async () => {
  answer = () => Promise.resolve(new Response('<html>bad gateway', { status: 502, statusText: 'Bad Gateway' }));
  expect(await problem(request('/x'))).toMatchObject({ status: 502, title: '502 Bad Gateway', output: [] });
});

test('how long to wait comes from the header', async () => {
  answer = () => Promise.resolve(new Response('{}', { status: 429, headers: { 'Retry-After': '17' } }));
  expect((await problem(request('/session', { method: 'POST' }))).retryAfter).toBe(17);
});

test('no answer is unreachable, a late one a timeout', async () => {
  answer = () => Promise.reject(new TypeError('failed to fetch'));
  expect(await problem(request('/x'))).toMatchObject({ status: 0, title: 'unreachable', unreachable: true });
  answer = () => new Promise((_, reject) => sent.at(-1)!.init.signal!.addEventListener('abort', () => reject(new Error('aborted'))));
  expect(await problem(request('/x', { timeoutMs: 20 }))).toMatchObject({ status: 0, title: 'timeout' });
});

test('the end of a session is told, a wrong password is not one', async () => {
  const ended = vi.fn();
  whenUnauthenticated(ended);
  answer = () => Promise.resolve(new Response('{}', { status: 401 }));
  await problem(request('/session', { method: 'POST' }));
  expect(ended).not.toHaveBeenCalled();
  await problem(request('/nodes'));
  expect(ended).toHaveBeenCalledOnce();
});

test('an empty answer is nothing, a broken one a problem', async () => {
  answer = () => Promise.resolve(new Response(null, { status: 204 }));
  expect(await json('/x')).toBeUndefined();
  answer = () => Promise.resolve(new Response('not json'));
  expect(await problem(json('/x'))).toMatchObject({ title: 'not JSON' });
});

test('something large lasts as long as something moves, and tells how far it is', async () => {
  vi.useFakeTimers();
  const event = (loaded: number, total: number) => ({ loaded, total, lengthComputable: true }) as ProgressEvent;
  class Fake {
    static last: Fake;
    upload: { onprogress?: (e: ProgressEvent) => void; onload?: () => void } = {};
    onprogress?: (e: ProgressEvent) => void;
    onload?: () => void;
    onabort?: () => void;
    headers: Record<string, string> = {};
    status = 200;
    statusText = '';
    responseText = '{"signature":"ff"}';
    open = vi.fn();
    send = vi.fn(() => void (Fake.last = this));
    setRequestHeader = (name: string, value: string) => void (this.headers[name] = value);
    getResponseHeader = () => null;
    abort = () => this.onabort?.();
  }
  vi.stubGlobal('XMLHttpRequest', Fake);
  const moved: [number, number | null][] = [];
  const begin = () => transfer<{ signature: string }>('/files', { method: 'PUT', json: [] }, (...now) => void moved.push(now));
  const good = begin();
  for (const loaded of [10, 20, 30]) {
    vi.advanceTimersByTime(50_000);
    Fake.last.upload.onprogress!(event(loaded, 30));
  }
  Fake.last.upload.onload!();
  // The server unpacks, checks and stores it.
  vi.advanceTimersByTime(200_000);
  Fake.last.onload!();
  expect(await good).toEqual({ signature: 'ff' });
  expect(moved).toEqual([[10, 30], [20, 30], [30, 30]]);
  expect(Fake.last.headers['x-safekit-csrf']).toBe('token');
  const stuck = problem(begin());
  vi.advanceTimersByTime(60_000);
  expect((await stuck).title).toBe('timeout');
  vi.useRealTimers();
});
