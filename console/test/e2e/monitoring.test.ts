import { expect, test } from 'vitest';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

test('every module is there on every node, with state, share, reason and progress', async () => {
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  await page.cell('web', 'node3').waitFor();
  expect(await page.rows().count()).toBe(4);
  expect(await page.state('postgresql', 'node1').innerText()).toMatch(/PRIM\s+Ready/);
  expect(await page.cell('web', 'node1').innerText()).toContain('50 %');
  expect(await page.cell('notification', 'node1').innerText()).toContain('custom.checkfile is down');
  expect(await page.cell('files', 'node3').innerText()).toMatch(/Reintegration · 6\d % · 94 MB\/s · 2 min 50 s left/);
  expect(await page.row('files').innerText()).toContain('Degraded');
});

test('a swap says what will happen, is done, and shows its end', async () => {
  await w.login('operator');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.nodeMenu('postgresql', 'node1');
  await page.choose('Swap the roles');
  expect(await shell.question()).toContain('The application stops on node1 and starts on node2.');
  await shell.confirm();
  await shell.activity().getByText('Running').waitFor();
  await page.state('postgresql', 'node2').getByText('PRIM').waitFor();
  await page.state('postgresql', 'node1').getByText('SECOND').waitFor();
  await shell.activity().getByText('Done').waitFor();
});

test('a question that is cancelled does nothing', async () => {
  await w.login('operator');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.nodeMenu('web', 'node2');
  await page.choose('Stop');
  expect(await shell.question()).toContain('node2 leaves the farm; its clients are served by node1, node3.');
  await w.page.keyboard.press('Escape');
  await shell.dialog().waitFor({ state: 'detached' });
  expect(w.mock.api.cluster.node('node2').commands.filter((c) => c.text.includes('stop'))).toEqual([]);
  expect(await shell.activity().count()).toBe(0);
});

test('a stop of all nodes stops the secondary first', async () => {
  await w.login('admin');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.moduleMenu('postgresql');
  await page.choose('Stop');
  expect(await shell.question()).toContain('The application stops on all nodes (node2, node1)');
  await shell.confirm();
  await page.state('postgresql', 'node1').getByText('STOP').waitFor();
  await page.state('postgresql', 'node2').getByText('STOP').waitFor();
  const log = w.mock.api.cluster.node('node2').modules.get('postgresql')!.log.map((l) => l.text);
  expect(log.filter((l) => l === 'Local state ALONE Ready')).toEqual([]);
});

test('a restart of all goes from node to node, and ends where a node fails', async () => {
  await w.login('admin');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.moduleMenu('web');
  // Somebody else was faster on the second node.
  w.mock.api.cluster.node('node2').modules.get('web')!.role = 'STOP';
  await page.choose('Restart the application');
  expect(await shell.question()).toContain('If one fails, the others are left as they are.');
  await shell.confirm();
  await shell.activity().getByText('Left as it is because of node2.').waitFor();
  expect(await shell.activity().locator('.activity-state').allInnerTexts()).toEqual(['Done', 'Failed', 'Skipped']);
  const restarts = (node: string) => w.mock.api.cluster.node(node).commands.filter((c) => c.text.startsWith('restart'));
  expect([restarts('node1').length, restarts('node3').length]).toEqual([1, 0]);
});

test('a refused command shows why, and stays', async () => {
  await w.login('admin');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.nodeMenu('postgresql', 'node1');
  // Somebody else was faster.
  const node = w.mock.api.cluster.node('node1');
  node.modules.get('postgresql')!.role = 'STOP';
  await page.choose('Stop');
  await shell.confirm();
  await shell.activity().getByText('Failed').waitFor();
  expect(await shell.activity().innerText()).toContain('stop is refused: module postgresql is STOP');
});

test('a node that does not answer is grey at once, says when it was seen, and comes back', async () => {
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  await page.cell('web', 'node2').waitFor();
  const node = w.mock.api.cluster.node('node2');
  node.reachable = false;
  w.mock.api.cluster.changed(node);
  await page.cell('web', 'node2').getByText(/No answer, last seen \d\d:\d\d:\d\d/).waitFor({ timeout: 2000 });
  expect(await page.cell('web', 'node2').getAttribute('class')).toContain('grey old');
  expect(await page.state('web', 'node2').innerText()).toContain('UP');
  expect(await page.nodeMenu('web', 'node2')).toEqual(['Details']);
  await w.page.keyboard.press('Escape');
  node.reachable = true;
  w.mock.api.cluster.changed(node);
  await page.cell('web', 'node2').getByText('No answer').waitFor({ state: 'detached' });
});

test('a lost connection node is told at once, and recovers by itself', async () => {
  await w.login('admin');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.cell('web', 'node1').waitFor();
  w.mock.api.die();
  await shell.banner().waitFor({ timeout: 2000 });
  expect(await shell.banner().innerText()).toMatch(/The connection with node1 is lost since \d\d:\d\d:\d\d\./);
  expect(await shell.banner().getByRole('link', { name: 'node2' }).getAttribute('href')).toContain('10.0.0.108');
  expect(await page.cell('web', 'node1').getAttribute('class')).toContain('old');
  w.mock.api.cluster.node('node1').modules.get('web')!.shares[0]!.percent = 7;
  w.mock.api.live();
  await shell.banner().waitFor({ state: 'detached' });
  await page.cell('web', 'node1').getByText('7 %', { exact: true }).first().waitFor();
});

test('menus are used by keyboard alone', async () => {
  await w.login('operator');
  const page = new MonitoringPage(w.page);
  await page.cell('web', 'node1').getByRole('button').focus();
  await w.page.keyboard.press('ArrowDown');
  await page.popup().waitFor();
  const focused = () => w.page.evaluate(() => document.activeElement?.textContent);
  expect(await focused()).toContain('Stop');
  await w.page.keyboard.press('End');
  expect(await focused()).toContain('Download the verbose log');
  await w.page.keyboard.press('Escape');
  expect(await page.popup().count()).toBe(0);
  expect(await w.page.evaluate(() => document.activeElement?.getAttribute('aria-haspopup'))).toBe('menu');
});

test('changes of state are said to screen readers', async () => {
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  await page.cell('web', 'node1').waitFor();
  const { cluster } = w.mock.api;
  const node = cluster.node('node1');
  cluster.state(node, node.modules.get('web')!, 'STOP', 'NotReady');
  await w.page.locator('[aria-live=polite]', { hasText: 'web on node1: STOP NotReady' }).first().waitFor({ state: 'attached' });
});

test('language and theme are switched, and the theme is remembered', async () => {
  await w.login('admin');
  const shell = new Shell(w.page);
  await shell.menu('Français');
  await shell.heading().getByText('Supervision').waitFor();
  expect(w.page.url()).toContain('/console/fr/monitoring');
  expect(await w.page.locator('html').getAttribute('lang')).toBe('fr');
  await shell.menu('Sombre');
  expect(await w.page.locator('html').getAttribute('data-theme')).toBe('dark');
  await w.page.reload();
  await shell.heading().waitFor();
  expect(await w.page.locator('html').getAttribute('data-theme')).toBe('dark');
});

test('an unknown page says so', async () => {
  await w.login('admin', '/console/en/nonsense');
  await w.page.getByText('There is no such page').waitFor();
});

test('forced starts say which data go where, and are sent with their argument', async () => {
  const { cluster } = w.mock.api;
  for (const name of ['node1', 'node2']) {
    const node = cluster.node(name);
    cluster.state(node, node.modules.get('postgresql')!, name === 'node1' ? 'ALONE' : 'STOP', name === 'node1' ? 'Ready' : 'NotReady');
  }
  await w.login('operator');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  const offered = await page.nodeMenu('postgresql', 'node2');
  expect(offered).toEqual(expect.arrayContaining(['Force start as primary, fullsync', 'Force start as secondary', 'Force start as secondary, fullsync']));
  await page.choose('Force start as secondary, fullsync');
  expect(await shell.question()).toContain('All files of the replicated directories are copied from node1 to node2');
  await shell.confirm();
  await shell.activity().getByText('Done').waitFor();
  expect(cluster.node('node2').commands.map((c) => c.text)).toContain('second fullsync -m postgresql -u operator@10.0.0.5');
});

test('checkers are suspended after a word on what that means', async () => {
  await w.login('operator');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.nodeMenu('postgresql', 'node1');
  await page.choose('Suspend the checkers');
  expect(await shell.question()).toContain('failures that they find are not acted on until they are resumed');
  await shell.confirm();
  await shell.activity().getByText('Done').waitFor();
  expect(await page.nodeMenu('postgresql', 'node1')).toContain('Resume the checkers');
});
