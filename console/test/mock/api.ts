// The API of the web service, played by a cluster in memory.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LoginMethod, RoleName, Session } from '../../src/api/types';
import { USERS, type MockCluster, type User } from './cluster';
import { configurationRoutes } from './configuration';
import { bodyOf, json, match, problem, type Call, type Route } from './http';
import { moduleRoutes } from './routes';
import { production } from './sample';

export interface MockSettings {
  methods: LoginMethod[];
  https: boolean;
  /** The node whose certificate ends soon. */
  ending?: string;
  /** Seconds that a login has to wait: answered with 429 while not 0. */
  wait: number;
}

const RANK: Record<RoleName, number> = { Monitor: 0, Control: 1, Admin: 2 };
const COOKIE = 'mock-session';
const CSRF = 'mock-csrf';

/** A mock of one web service. Tests change `cluster` and `settings` as they like. */
export class MockApi {
  cluster: MockCluster = production();
  settings: MockSettings = { methods: ['password'], https: false, wait: 0 };
  /** While true no request is answered, as if the node had died. */
  down = false;
  private readonly routes: Route[] = [...sessionRoutes, ...configurationRoutes, ...moduleRoutes];
  private readonly open = new Set<ServerResponse>();

  /** Answers a request below /api/v1; false when it is none. */
  async handle(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const url = new URL(req.url ?? '/', 'http://mock');
    if (this.down) {
      req.socket.destroy();
      return true;
    }
    if (!url.pathname.startsWith('/api/v1/')) return false;
    this.open.add(res);
    res.on('close', () => this.open.delete(res));
    await this.dispatch(req, res, url);
    return true;
  }

  /** The node dies: open streams are cut, nothing is answered any more. */
  die(): void {
    this.down = true;
    for (const res of this.open) res.destroy();
  }

  /** Open streams are cut, and can be opened again. */
  drop(): void {
    for (const res of this.open) res.destroy();
  }

  /** Event streams that are open now. */
  streams(): number {
    return [...this.open].filter((res) => res.getHeader('Content-Type') === 'text/event-stream').length;
  }

  live(): void {
    this.down = false;
  }

  /** Another cluster, e.g. an empty one. */
  use(cluster: MockCluster): void {
    this.cluster.close();
    this.cluster = cluster;
  }

  private async dispatch(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    let path = url.pathname.slice('/api/v1'.length);
    const named = /^\/nodes\/([^/]+)(\/.+)$/.exec(path);
    const name = named ? decodeURIComponent(named[1]!) : this.cluster.here;
    if (named) path = named[2]!;
    const node = this.cluster.nodes.get(name);
    if (!node) return problem(res, 404, 'no such node', { detail: `there is no node ${name} in the cluster` });
    if (!node.reachable) {
      return problem(res, 504, 'the node does not answer', { detail: `no answer from ${node.address}:9010`, node: name });
    }
    for (const route of this.routes) {
      const params = route.method === req.method ? match(route.pattern, path) : null;
      if (!params) continue;
      const call: Call = { req, res, cluster: this.cluster, settings: this.settings, node, user: this.user(req), params, query: url.searchParams };
      return this.run(route, call);
    }
    problem(res, 404, 'no such resource', { detail: `${req.method} ${path}` });
  }

  private async run(route: Route, call: Call): Promise<void> {
    const { res, user, req } = call;
    if (route.needs) {
      if (!user) return problem(res, 401, 'log in first');
      if (RANK[user.role] < RANK[route.needs]) {
        return problem(res, 403, 'permission denied', { detail: `it needs the role ${route.needs}, ${user.name} has ${user.role}` });
      }
      if (req.method !== 'GET' && req.headers['x-safekit-csrf'] !== CSRF) return problem(res, 403, 'the header X-SafeKit-CSRF is missing');
    }
    try {
      await route.run(call);
    } catch (error) {
      if (!res.headersSent) problem(res, 500, 'the mock failed', { detail: String(error) });
    }
  }

  private user(req: IncomingMessage): User | null {
    if (this.settings.methods.includes('none')) return USERS[0]!;
    const cookie = new RegExp(`${COOKIE}=(\\w+)`).exec(req.headers.cookie ?? '')?.[1];
    return USERS.find((u) => u.name === cookie) ?? null;
  }
}

function sessionOf(call: Call, user: User | null): Session {
  return {
    authenticated: user !== null,
    user: user ? `${user.name}` : null,
    role: user?.role ?? null,
    csrf: user ? CSRF : null,
    methods: call.settings.methods,
    node: call.cluster.rows().length > 0 ? call.cluster.here : null,
    version: '0.1.0',
    https: call.settings.https,
    warnings: [],
  };
}

const sessionRoutes: Route[] = [
  { method: 'GET', pattern: '/session', needs: null, run: (call) => json(call, sessionOf(call, call.user)) },
  {
    method: 'POST',
    pattern: '/session',
    needs: null,
    run: async (call) => {
      const given = await bodyOf<{ user: string; password: string }>(call);
      if (call.settings.wait > 0) {
        return problem(call.res, 429, 'too many failed logins', { retry_after: call.settings.wait });
      }
      const user = USERS.find((u) => u.name === given.user && u.password === given.password);
      if (!user) return problem(call.res, 401, 'wrong name or password');
      call.res.setHeader('Set-Cookie', `${COOKIE}=${user.name}; Path=/; HttpOnly; SameSite=Strict`);
      return json(call, sessionOf(call, user));
    },
  },
  {
    method: 'DELETE',
    pattern: '/session',
    needs: 'Monitor',
    run: (call) => {
      call.res.setHeader('Set-Cookie', `${COOKIE}=; Path=/; Max-Age=0`);
      call.res.writeHead(204).end();
    },
  },
];
