import { takeEarly } from './early';
import { Problem, problemOf } from './problem';

const BASE = '/api/v1';
/** A node that does not answer is told after this time; commands wait longer, see `RequestOptions`. */
const TIMEOUT_MS = 20_000;

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

async function send(target: string, options: RequestOptions): Promise<Response> {
  const method = options.method ?? 'GET';
  const headers = new Headers({ Accept: 'application/json, application/problem+json' });
  if (method !== 'GET' && csrf) headers.set('X-SafeKit-CSRF', csrf);
  if (options.json !== undefined) headers.set('Content-Type', 'application/json');
  if (options.body) headers.set('Content-Type', options.body.type || 'application/zip');
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const init: RequestInit = {
    method,
    headers,
    credentials: 'same-origin',
    cache: 'no-store',
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    body: options.body ?? (options.json === undefined ? null : JSON.stringify(options.json)),
  };
  const early = method === 'GET' ? takeEarly(target) : null;
  if (early) timeout.addEventListener('abort', () => early.abort.abort());
  try {
    return await (early?.answer ?? fetch(target, init));
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, timeout.aborted ? 'timeout' : 'unreachable', '');
  }
}

/** A request; its answer when it is 2xx, a `Problem` thrown otherwise. */
export async function request(target: string, options: RequestOptions = {}): Promise<Response> {
  const response = await send(url(target, options), options);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && target !== '/session') onUnauthenticated();
  throw problem;
}

/** The JSON of an answer; `undefined` of an empty one. */
export async function json<T>(target: string, options: RequestOptions = {}): Promise<T> {
  const response = await request(target, options);
  const text = await response.text();
  try {
    return (text ? JSON.parse(text) : undefined) as T;
  } catch {
    throw new Problem(response.status, 'not JSON', text.slice(0, 200));
  }
}
