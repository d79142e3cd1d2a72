// The requests of the configuration pages. Nodes are asked through the connection node.

import { json, path, transfer, url, type Moved } from './client';
import type * as T from './types';

/** Applying a configuration runs scripts of the module. */
const APPLY_MS = 15 * 60_000;
/** A server that is not there takes its time to say so. */
const PROBE_MS = 20_000;

type Node = string | null;

export const configuration = {
  cluster: () => json<T.Cluster>('/cluster'),
  clusterOn: (node: Node) => json<T.Cluster>('/cluster', { node }),
  /** Applies on the node, then on `nodes`; the signature is empty for a first configuration. A conflict is a problem 409 with
      `signature` and `xml`. */
  saveCluster: (node: Node, xml: string, signature: string, nodes: string[], expected: T.Holding) =>
    json<T.Results>('/cluster', { node, method: 'PUT', json: { xml, signature, nodes, expected }, timeoutMs: APPLY_MS }),
  checkCluster: (xml: string, signal?: AbortSignal) =>
    json<{ faults: T.Fault[] }>('/cluster/check', { method: 'POST', json: { xml }, ...(signal ? { signal } : {}) }),
  probe: (address: string) =>
    json<T.Probe>('/cluster/probe', { method: 'POST', json: { address }, timeoutMs: PROBE_MS }),
  /** Gives the configuration of the node to others. One that holds something else than expected is left as it is: its
      outcome has a `conflict`. */
  deployCluster: (node: Node, nodes: string[], expected: T.Holding) =>
    json<T.Results>('/cluster/deploy', { node, method: 'POST', json: { nodes, expected }, timeoutMs: APPLY_MS }),
  unconfigureCluster: (nodes: string[]) =>
    json<T.Results>('/cluster', { method: 'DELETE', query: { nodes: nodes.join(',') }, timeoutMs: APPLY_MS }),

  templates: () => json<T.TemplateRow[]>('/templates'),
  configurations: () => json<T.ConfigurationRow[]>('/configurations'),
  create: (module: string, template: string) =>
    json<T.Outcome>('/modules', { method: 'POST', json: { module, template }, timeoutMs: APPLY_MS }),
  /** Installs a new module from a local .safe. */
  upload: (module: string, file: Blob, moved?: Moved) =>
    transfer<T.Outcome>(path`/modules/${module}/archive`, { method: 'PUT', body: file.slice(0, file.size, 'application/zip') }, moved),
  archive: (module: string) => url(path`/modules/${module}/archive`),
  uninstall: (node: Node, module: string) =>
    json<T.Outcome | undefined>(path`/modules/${module}`, { node, method: 'DELETE', timeoutMs: APPLY_MS }),

  files: (module: string, node: Node = null, moved?: Moved) =>
    transfer<T.ModuleFiles>(path`/modules/${module}/files`, { node }, moved),
  /** A conflict is a problem 409 with `signature` and `files`. */
  saveFiles: (node: Node, module: string, signature: string, files: T.ModuleFile[], moved?: Moved) =>
    transfer<{ signature: string }>(path`/modules/${module}/files`, { node, method: 'PUT', json: { signature, files } }, moved),
  /** The files of one of the last successful configurations. */
  kept: (module: string, name: string, moved?: Moved) =>
    transfer<{ files: T.ModuleFile[] }>(path`/modules/${module}/configurations/${name}`, {}, moved),
  checkText: (module: string, userconfig: string, signal?: AbortSignal) =>
    json<T.CheckReport>(path`/modules/${module}/check`, { method: 'POST', json: { userconfig }, ...(signal ? { signal } : {}) }),
  /** Checks the saved configuration as the command `safekit confcheck`. */
  check: (module: string) =>
    json<T.CheckReport>(path`/modules/${module}/check`, { method: 'POST', json: {}, timeoutMs: APPLY_MS }),
  /** Applies what has this signature; a conflict is a problem 409 with `signature` and `files`. */
  apply: (module: string, signature: string) =>
    json<T.Outcome>(path`/modules/${module}/config`, { method: 'POST', query: { signature }, timeoutMs: APPLY_MS }),
  unconfigure: (node: Node, module: string) =>
    json<T.Outcome>(path`/modules/${module}/config`, { node, method: 'DELETE', timeoutMs: APPLY_MS }),
  /** Gives what has this signature on the connection node to others. Another one there is a problem 409; a node that holds
      something else than expected is left as it is: its outcome has a `conflict`. */
  deploy: (module: string, nodes: string[], signature: string, expected: T.Holding) =>
    json<T.Results>(path`/modules/${module}/deploy`, { method: 'POST', json: { nodes, signature, expected }, timeoutMs: APPLY_MS }),
  /** Makes or removes the key of what has this signature; a conflict is a problem 409 with `signature` and `files`. */
  key: (module: string, on: boolean, signature: string) =>
    json<T.Outcome>(path`/modules/${module}/key`, { method: on ? 'POST' : 'DELETE', query: { signature }, timeoutMs: APPLY_MS }),
};
