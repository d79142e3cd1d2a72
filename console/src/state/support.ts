// Logs of all nodes of a module in one download.
import { path, request } from '../api/client';
import { lang, t } from '../i18n';
import { notify, problemTitle, saveFile } from '../ui';
import { through } from './cluster';

/** A log may have 100,000 lines, and comes from another node. */
const LOG_MS = 5 * 60_000;
/** A web service has room for few whole logs at the same time. */
const AT_ONCE = 3;

/** Saves `logs_<module>.zip` with a file for each node. A node that fails is told; the others are saved. */
export async function saveLogs(module: string, nodes: string[], all: boolean): Promise<void> {
  notify('info', t('support.collecting', { nodes: nodes.join(', ') }));
  const failed: string[] = [];
  const logs = new Map<string, string>();
  const waiting = nodes.values();
  const take = async () => {
    for (const node of waiting) {
      await logOf(module, node, all).then((log) => logs.set(node, log)).catch((error: unknown) => {
        failed.push(`${node}: ${problemTitle(error)}`);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
  const { strToU8, zipSync } = await import('fflate');
  const files = nodes.flatMap((node) => {
    const log = logs.get(node);
    return log == null ? [] : [[`log_${node}_${module}.txt`, strToU8(log)] as const];
  });
  if (failed.length > 0) notify('bad', t('support.failed'), failed);
  if (files.length > 0) saveFile(`logs_${module}.zip`, zipSync(Object.fromEntries(files)));
}

async function logOf(module: string, node: string, all: boolean): Promise<string> {
  const query = { all, lang: lang.peek() };
  return (await request(path`/modules/${module}/log.txt`, { node: through(node), query, timeoutMs: LOG_MS })).text();
}
