// Serves dist and the mock of the API, as the web service does: for the tests in the browser.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { MockApi } from './api';

const DIST = new URL('../../dist/', import.meta.url).pathname;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.txt': 'text/plain',
};
/** The policy of the web service: nothing inline, nothing of elsewhere. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export interface MockServer {
  url: string;
  api: MockApi;
  close(): Promise<void>;
}

/** A mock that serves a build of the console: dist without one. */
export async function startMock(dist = DIST): Promise<MockServer> {
  const api = new MockApi();
  const server = createServer((req, res) => {
    void api.handle(req, res).then((done) => done || file(dist, req.url ?? '/', res));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, api, close: () => stop(server, api) };
}

function stop(server: Server, api: MockApi): Promise<void> {
  api.cluster.close();
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function file(dist: string, url: string, res: ServerResponse): void {
  const path = new URL(url, 'http://mock').pathname;
  if (path === '/') return void res.writeHead(302, { Location: '/console/' }).end();
  const inside = normalize(path.replace(/^\/console/, '')).replace(/^\/+/, '');
  const wanted = join(dist, inside);
  const found = inside !== '' && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(dist, 'index.html');
  res.writeHead(200, { 'Content-Type': TYPES[extname(found)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY });
  res.end(readFileSync(found));
}
