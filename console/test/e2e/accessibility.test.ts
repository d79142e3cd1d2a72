import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { MonitoringPage } from './pages/monitoring';
import { world } from './setup';

const w = world();

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PAGES = [
  '/console/en/monitoring',
  '/console/en/monitoring/modules/postgresql/nodes/node1/logs',
  '/console/en/monitoring/modules/postgresql/nodes/node1/resources?group=all&resource=custom.checkfile',
  '/console/en/monitoring/modules/files/nodes/node3/replication',
  '/console/en/monitoring/modules/web/nodes/node1/information',
  '/console/en/monitoring/modules/notification/nodes/node1/explain',
  '/console/en/monitoring/commands',
  '/console/en/access',
];

/** What axe finds wrong by WCAG 2.2 A and AA, in few words. */
async function faults(): Promise<string[]> {
  // By the debugger: the policy of the page forbids scripts of elsewhere.
  await w.page.evaluate(AXE);
  return w.page.evaluate(async () => {
    const axe = (window as unknown as { axe: { run: (o: object) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe;
    const { violations } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] });
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary.slice(0, 260)}`));
  });
}

test.each(['light', 'dark'] as const)('every page is accessible, in the %s theme', async (scheme) => {
  await w.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await w.page.goto('/console/en/monitoring');
  await w.page.locator('form').waitFor();
  expect(await faults(), 'login').toEqual([]);
  await w.login('admin');
  for (const path of PAGES) {
    await w.page.goto(path);
    await w.page.locator('h1').waitFor();
    await w.page.locator('.spinner').first().waitFor({ state: 'detached' });
    expect(await faults(), path).toEqual([]);
  }
});

test('menus, questions and dead nodes are accessible too', async () => {
  await w.page.emulateMedia({ reducedMotion: 'reduce' });
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  const node = w.mock.api.cluster.node('node2');
  node.reachable = false;
  w.mock.api.cluster.changed(node);
  await page.cell('web', 'node2').getByText('No answer').waitFor();
  await page.nodeMenu('postgresql', 'node1');
  expect(await faults(), 'menu').toEqual([]);
  await page.choose('Stop');
  await w.page.getByTestId('confirm').waitFor();
  expect(await faults(), 'question').toEqual([]);
});
