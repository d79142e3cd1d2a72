// Logs of all nodes of a module in one download.
import { path, request } from '../api/client';
import { lang, t } from '../i18n';
import { notify, problemTitle, saveFile } from '../ui';
import { through } from './cluster';

/** A log may have 100,000 lines, and comes from another node. */
const LOG_MS = 5 * 60_000;

/** Saves `logs_<module>.zip` with a file for each node. A node that fails is told; the others are saved. */
export async function saveLogs(module: string, nodes: string[], all: boolean): Promise<void> {
  notify('info', t('support.collecting', { nodes: nodes.join(', ') }));
  const failed: string[] = [];
  const logs = await Promise.all(nodes.map((node) => logOf(module, node, all).catch((error: unknown) => {
    failed.push(`${node}: ${problemTitle(error)}`);
    return null;
  })));
  const { strToU8, zipSync } = await import('fflate');
  const files = nodes.flatMap((node, i) => (logs[i] == null ? [] : [[`log_${node}_${module}.txt`, strToU8(logs[i])] as const]));
  if (failed.length > 0) notify('bad', t('support.failed'), failed);
  if (files.length > 0) saveFile(`logs_${module}.zip`, zipSync(Object.fromEntries(files)));
}

async function logOf(module: string, node: string, all: boolean): Promise<string> {
  const query = { all, lang: lang.peek() };
  return (await request(path`/modules/${module}/log.txt`, { node: through(node), query, timeoutMs: LOG_MS })).text();
}
