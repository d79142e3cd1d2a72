// The small web server of the mock: routes, bodies, problems.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RoleName } from '../../src/api/types';
import type { MockCluster, MockNode, User } from './cluster';
import type { MockSettings } from './api';

/** What a route is given. */
export interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  cluster: MockCluster;
  settings: MockSettings;
  /** Node that is asked: the connection node, or that of /nodes/{node}/. */
  node: MockNode;
  user: User | null;
  /** Parts that the pattern names, decoded. */
  params: Record<string, string>;
  query: URLSearchParams;
}

export interface Route {
  method: string;
  /** `/modules/:module/state` */
  pattern: string;
  needs: RoleName | null;
  run: (call: Call) => void | Promise<void>;
}

export function json(call: Call, body: unknown, status = 200): void {
  call.res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  call.res.end(JSON.stringify(body));
}

export function problem(res: ServerResponse, status: number, title: string, more: Record<string, unknown> = {}): void {
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' };
  if (typeof more['retry_after'] === 'number') headers['Retry-After'] = String(more['retry_after']);
  res.writeHead(status, headers);
  res.end(JSON.stringify({ type: 'about:blank', title, status, ...more }));
}

/** The JSON of a request; an empty object without a body. */
export async function bodyOf<T>(call: Call): Promise<T> {
  const raw = await rawOf(call);
  return (raw.length === 0 ? {} : JSON.parse(raw.toString('utf8'))) as T;
}

export async function rawOf(call: Call): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of call.req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A stream of events: the function sends one, `onClose` runs when the browser goes. */
export function events(call: Call, onClose: () => void): (event: string, data: unknown) => void {
  call.res.setHeader('Content-Type', 'text/event-stream').setHeader('Cache-Control', 'no-store').writeHead(200);
  call.res.write(': open\n\n');
  const beat = setInterval(() => call.res.write(': still here\n\n'), 10_000);
  call.res.on('close', () => {
    clearInterval(beat);
    onClose();
  });
  return (event, data) => void call.res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Parts of an address that fit a pattern; null when it does not. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const value = given[i]!;
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return params;
}
