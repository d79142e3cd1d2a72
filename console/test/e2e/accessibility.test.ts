import { expect, test } from 'vitest';
import { axeFaults } from './axe';
import { MonitoringPage } from './pages/monitoring';
import { world } from './setup';

const w = world();

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

const faults = (): Promise<string[]> => axeFaults(w.page);

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
