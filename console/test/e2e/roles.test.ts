import { expect, test } from 'vitest';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

const LOOK_ONLY = ['Details', 'Download the log', 'Download the verbose log'];

test('Monitor sees everything and can do nothing', async () => {
  await w.login('observer');
  const page = new MonitoringPage(w.page);
  await page.cell('postgresql', 'node1').waitFor();
  expect(await page.nodeMenu('postgresql', 'node1')).toEqual(LOOK_ONLY);
  await w.page.keyboard.press('Escape');
  expect(await page.moduleMenu('postgresql')).toEqual(['Download the logs of all nodes', 'Download the verbose logs of all nodes']);
  expect(await new Shell(w.page).link('Cluster').count()).toBe(0);
});

test.each(['configuration/cluster', 'configuration/modules', 'configuration/modules/web/config/', 'access'])('Control has no page %s', async (path) => {
  await w.login('operator', `/console/en/${path}`);
  await w.page.getByText('Your role does not open this page').waitFor();
  expect(await new Shell(w.page).link('Access and security').count()).toBe(0);
});

test('Control acts on modules', async () => {
  await w.login('operator');
  const page = new MonitoringPage(w.page);
  expect(await page.nodeMenu('postgresql', 'node1')).toEqual([
    'Stop', 'Restart the application', 'Swap the roles', 'Swap without synchronizing', 'Stop and start', 'Force stop', 'Suspend the checkers', 'Disable automatic failover', ...LOOK_ONLY,
  ]);
});

test('Admin has the configuration too', async () => {
  await w.login('admin');
  const shell = new Shell(w.page);
  await shell.link('Cluster').waitFor();
  await shell.link('Access and security').click();
  await shell.heading().getByText('Access and security').waitFor();
});
