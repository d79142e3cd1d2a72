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

test.each(['light', 'dark'] as const)('what is wrong or under way is accessible, in the %s theme', async (scheme) => {
  await w.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await w.page.setViewportSize({ width: 390, height: 800 });
  const { api } = w.mock;
  api.settings.https = true;
  api.settings.ending = 'node2';
  await w.login('admin', '/console/en/access');
  await w.page.getByText('12 days left').first().waitFor();
  expect(await faults(), 'certificates that end').toEqual([]);
  await w.page.getByRole('button', { name: 'New token' }).click();
  await w.page.getByRole('dialog').waitFor();
  expect(await faults(), 'dialog').toEqual([]);
  await w.page.goto('/console/en/monitoring');
  const page = new MonitoringPage(w.page);
  await page.cell('postgresql', 'node2').waitFor();
  for (const name of ['node1', 'node2']) {
    const node = api.cluster.node(name);
    api.cluster.state(node, node.modules.get('postgresql')!, 'STOP', 'NotReady');
  }
  await page.state('postgresql', 'node2').getByText('STOP').waitFor();
  await page.nodeMenu('postgresql', 'node2');
  // It lies over buttons of the page, as menus do.
  expect(await axeFaults(w.page, '.popup'), 'menu with hints').toEqual([]);
  await w.page.keyboard.press('Escape');
  await w.page.getByRole('button', { name: 'Open the navigation' }).click();
  await w.page.locator('.drawer-open').waitFor();
  expect(await faults(), 'navigation').toEqual([]);
  await w.page.keyboard.press('Escape');
  api.die();
  await w.page.locator('.banner').waitFor();
  // It stays in sight over what is scrolled, buttons as well.
  await w.page.evaluate(() => window.scrollTo(0, 0));
  expect(await faults(), 'lost connection').toEqual([]);
  await w.page.context().clearCookies();
  api.live();
  await w.page.getByText('Your session has ended').waitFor();
  expect(await faults(), 'session that has ended').toEqual([]);
});
