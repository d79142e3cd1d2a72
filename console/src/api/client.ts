import { takeEarly } from './early';
import { lang } from '../i18n';
import { Problem, problemOf } from './problem';
import { withRoom } from './room';

const BASE = '/api/v1';
/** A node that does not answer is told after this time; commands wait longer, see `RequestOptions`. */
const TIMEOUT_MS = 20_000;
/** Something large is given up when nothing of it has moved for this time. */
const STALLED_MS = 60_000;
/** What the server may take to unpack, check and store what was sent. */
const WORK_MS = 5 * 60_000;

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Through this node; the connection node without it. */
  node?: string | null;
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, e.g. an archive. */
  body?: Blob;
  signal?: AbortSignal;
  timeoutMs?: number;
}

let csrf: string | null = null;
let onUnauthenticated: () => void = () => {};

/** Header of every request that changes something. */
export function setCsrf(token: string | null): void {
  csrf = token;
}

/** Called when the session has ended. */
export function whenUnauthenticated(handler: () => void): void {
  onUnauthenticated = handler;
}

/** Tells that the session has ended, once an answer says so. */
export function unauthenticated(): void {
  onUnauthenticated();
}

/** Address of a resource of the API, through a node or not. */
export function url(path: string, options: Pick<RequestOptions, 'node' | 'query'> = {}): string {
  const prefix = options.node ? `/nodes/${encodeURIComponent(options.node)}` : '';
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== null && value !== undefined) query.set(name, String(value));
  }
  const tail = query.toString();
  return `${BASE}${prefix}${path}${tail ? `?${tail}` : ''}`;
}

/** Path with its parts escaped: path`/modules/${name}/log`. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((all, part, i) => all + encodeURIComponent(values[i - 1] ?? '') + part);
}

function headersOf(options: RequestOptions): Headers {
  const headers = new Headers({ Accept: 'application/json, application/problem+json', 'Accept-Language': lang.value });
  if ((options.method ?? 'GET') !== 'GET' && csrf) headers.set('X-SafeKit-CSRF', csrf);
  if (options.json !== undefined) headers.set('Content-Type', 'application/json');
  if (options.body) headers.set('Content-Type', options.body.type || 'application/zip');
  return headers;
}

const bodyOf = (options: RequestOptions): Blob | string | null =>
  options.body ?? (options.json === undefined ? null : JSON.stringify(options.json));

async function send(target: string, options: RequestOptions): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const init: RequestInit = {
    method: options.method ?? 'GET',
    headers: headersOf(options),
    credentials: 'same-origin',
    cache: 'no-store',
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    body: bodyOf(options),
  };
  const early = init.method === 'GET' ? takeEarly(target, lang.value) : null;
  if (early) timeout.addEventListener('abort', () => early.abort.abort());
  try {
    return await withRoom(early?.answer ?? fetch(target, init));
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, timeout.aborted ? 'timeout' : 'unreachable', '');
  }
}

/** A request; its answer when it is 2xx, a `Problem` thrown otherwise. */
export async function request(target: string, options: RequestOptions = {}): Promise<Response> {
  return answered(target, await send(url(target, options), options));
}

async function answered(target: string, response: Response): Promise<Response> {
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && target !== '/session') onUnauthenticated();
  throw problem;
}

/** How far something large is: bytes that have gone or come, and how many there are, if that is known. */
export type Moved = (done: number, all: number | null) => void;

/** Sends or reads something large as JSON. It lasts as long as something moves. */
export async function transfer<T>(target: string, options: RequestOptions, moved: Moved = () => {}): Promise<T> {
  return jsonOf<T>(await answered(target, await move(url(target, options), options, moved)));
}

/** `fetch` does not tell how much it has sent. */
function move(target: string, options: RequestOptions, moved: Moved): Promise<Response> {
  const xhr = new XMLHttpRequest();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const within = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => xhr.abort(), ms);
  };
  const tell = (event: ProgressEvent) => {
    within(STALLED_MS);
    moved(event.loaded, event.lengthComputable ? event.total : null);
  };
  xhr.upload.onprogress = tell;
  xhr.upload.onload = () => within(WORK_MS);
  xhr.onprogress = tell;
  xhr.open(options.method ?? 'GET', target);
  headersOf(options).forEach((value, name) => xhr.setRequestHeader(name, value));
  within(STALLED_MS);
  const answer = new Promise<Response>((resolve, reject) => {
    xhr.onload = () => resolve(responseOf(xhr));
    xhr.onerror = () => reject(new Problem(0, 'unreachable', ''));
    xhr.onabort = () => reject(new Problem(0, 'timeout', ''));
  });
  xhr.send(bodyOf(options));
  return answer.finally(() => clearTimeout(timer));
}

function responseOf(xhr: XMLHttpRequest): Response {
  const retry = xhr.getResponseHeader('Retry-After');
  const body = xhr.status === 204 ? null : xhr.responseText;
  return new Response(body, { status: xhr.status, statusText: xhr.statusText, headers: retry === null ? {} : { 'Retry-After': retry } });
}

/** The JSON of an answer; `undefined` of an empty one. */
export async function json<T>(target: string, options: RequestOptions = {}): Promise<T> {
  return jsonOf<T>(await request(target, options));
}

async function jsonOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  try {
    return (text ? JSON.parse(text) : undefined) as T;
  } catch {
    throw new Problem(response.status, 'not JSON', text.slice(0, 200));
  }
}
