// The requests of the console, one function each. `node`: null = the connection node.

import { json, path, request, url } from './client';
import type * as T from './types';

/** A control command may run scripts for a long time. */
const COMMAND_MS = 30 * 60_000;

type Node = string | null;

export const api = {
  session: () => json<T.Session>('/session'),
  login: (user: string, password: string) => json<T.Session>('/session', { method: 'POST', json: { user, password } }),
  logout: () => request('/session', { method: 'DELETE' }),

  level: (node: Node) => json<T.LevelReport>('/level', { node }),
  nodes: () => json<T.NodeRow[]>('/nodes'),
  commands: (node: Node, count: number) => json<T.CommandRow[]>('/commands', { node, query: { count } }),
  access: (node: Node = null) => json<T.Access>('/access', { node }),
  certificate: (node: Node = null) => json<T.Certificate>('/certificate', { node }),
  tokens: () => json<T.TokenRow[]>('/tokens'),
  createToken: (name: string, role: T.RoleName, days: number) =>
    json<{ token: string }>('/tokens', { method: 'POST', json: { name, role, days } }),
  deleteToken: (name: string) => request('/tokens', { method: 'DELETE', query: { name } }),

  control: (node: Node, module: string, command: string) =>
    json<T.Outcome>(path`/modules/${module}/commands`, {
      node,
      method: 'POST',
      json: { command },
      timeoutMs: COMMAND_MS,
    }),
  state: (node: Node, module: string) => json<T.StateReport>(path`/modules/${module}/state`, { node }),
  explain: (node: Node, module: string) => json<T.ExplainReport>(path`/modules/${module}/explain`, { node }),
  history: (node: Node, module: string, resource: string, count: number) =>
    json<T.HistoryRow[]>(path`/modules/${module}/resources/${resource}/history`, { node, query: { count } }),
  log: (node: Node, module: string, query: { count: number; all?: boolean; lang: string; before?: number; levels?: string; text?: string }) =>
    json<T.LogLine[]>(path`/modules/${module}/log`, { node, query }),
  /** The whole log as a file. */
  logText: (node: Node, module: string, query: { all: boolean; lang: string }) =>
    url(path`/modules/${module}/log.txt`, { node, query }),
  userLogs: (node: Node, module: string) => json<T.UserLogRow[]>(path`/modules/${module}/userlogs`, { node }),
  userLog: async (node: Node, module: string, name: string) =>
    (await request(path`/modules/${module}/userlogs/${name}`, { node })).text(),
  ports: (node: Node, module: string) => json<T.PortRow[]>(path`/modules/${module}/ports`, { node }),
  confInfo: (node: Node, module: string) => json<T.ConfInfo>(path`/modules/${module}/confinfo`, { node }),
  rescue: (node: Node, module: string) => json<T.RescueArchive[]>(path`/modules/${module}/rescue`, { node }),
  farmOwner: (node: Node, module: string, client: string, port: number | null) =>
    json<T.OwnerRow[]>(path`/modules/${module}/farm/owner`, { node, query: { client, port } }),
};
