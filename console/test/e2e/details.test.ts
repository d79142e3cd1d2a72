import { expect, test } from 'vitest';
import { DetailsPage } from './pages/details';
import { MonitoringPage } from './pages/monitoring';
import { world } from './setup';

const w = world();

const LOGS = '/console/en/monitoring/modules/postgresql/nodes/node1/logs';

function say(text: string, level: 'E' | 'C' = 'E'): void {
  const node = w.mock.api.cluster.node('node1');
  w.mock.api.cluster.say(node, node.modules.get('postgresql')!, 'heart', level, text);
}

test('a click on a cell opens the details, and tabs are addresses', async () => {
  await w.login('observer');
  await new MonitoringPage(w.page).cell('postgresql', 'node2').getByRole('link').click();
  const details = new DetailsPage(w.page);
  await details.lines().first().waitFor();
  await details.tab('Resources').click();
  await details.resources().first().waitFor();
  expect(w.page.url()).toContain('/monitoring/modules/postgresql/nodes/node2/resources');
  await w.page.goBack();
  await details.lines().first().waitFor();
});

test('the log is live, can be paused, and goes on with what came meanwhile', async () => {
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await w.page.locator('.toolbar .pill.live').waitFor();
  say('first message');
  await details.line('first message').waitFor();
  await w.page.getByRole('button', { name: 'Pause' }).click();
  say('second message');
  await w.page.getByText('1 new message', { exact: true }).waitFor();
  expect(await details.line('second message').count()).toBe(0);
  await w.page.getByRole('button', { name: 'Resume' }).click();
  await details.line('second message').waitFor();
});

test('what was said while the connection was lost is not missed', async () => {
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await w.page.locator('.toolbar .pill.live').waitFor();
  w.mock.api.die();
  await w.page.locator('.toolbar .pill:not(.live)').waitFor();
  say('said while lost');
  w.mock.api.live();
  await details.line('said while lost').waitFor();
  expect(await details.line('said while lost').count()).toBe(1);
});

test('filters by type and by text', async () => {
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await details.lines().first().waitFor();
  for (const type of ['Event', 'User', 'Script']) await w.page.getByRole('button', { name: type }).click();
  expect(await details.lines().allInnerTexts()).toHaveLength(1);
  await w.page.getByRole('button', { name: 'Event' }).click();
  await details.search('Search in the messages').fill('remote SECOND');
  await expect.poll(() => details.lines().count()).toBe(2);
});

test('an old message is found by its type behind all that was said since', async () => {
  const { cluster } = w.mock.api;
  const node = cluster.node('node1');
  const module = node.modules.get('postgresql')!;
  module.log.length = 0;
  say('disk lost', 'C');
  for (let i = 1; i <= 1_000; i += 1) say(`message ${i}`);
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await details.line('message 1000').waitFor();
  for (const type of ['Event', 'User', 'Script']) await w.page.getByRole('button', { name: type }).click();
  await w.page.getByText('None of the messages read so far fits the filter').waitFor();
  await w.page.getByRole('button', { name: 'Load older messages' }).click();
  await details.line('disk lost').waitFor();
  expect(await details.lines().count()).toBe(1);
  expect(await w.page.getByRole('button', { name: 'Load older messages' }).count()).toBe(0);
});

test('much that was said while the connection was lost is not missed', async () => {
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await w.page.locator('.toolbar .pill.live').waitFor();
  w.mock.api.die();
  await w.page.locator('.toolbar .pill:not(.live)').waitFor();
  for (let i = 1; i <= 390; i += 1) say(`missed ${i};`);
  w.mock.api.live();
  await details.line('missed 1;').waitFor();
  expect(await details.lines().filter({ hasText: 'missed' }).count()).toBe(390);
});

test('a click on a message shows what was said before it, on a script its output', async () => {
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await details.line('Remote state SECOND Ready').click();
  await details.pane().getByText('zones of /var/lib/postgresql asked by node2').waitFor();
  expect(await details.pane().locator('tbody tr').count()).toBe(2);
  await details.line('Script start_prim').click();
  await details.pane().getByText('postgresql accepts connections').waitFor();
});

test('what lies between two messages is read on when there is much of it', async () => {
  const node = w.mock.api.cluster.node('node1');
  const module = node.modules.get('postgresql')!;
  for (let i = 1; i <= 2_500; i += 1) w.mock.api.cluster.say(node, module, 'rfs', 'I', `zone ${i}`);
  w.mock.api.cluster.say(node, module, 'heart', 'E', 'after the zones');
  await w.login('observer', LOGS);
  const details = new DetailsPage(w.page);
  await details.line('after the zones').click();
  await details.pane().getByText('More messages lie between').waitFor();
  expect(await details.pane().locator('tbody tr').count()).toBe(2_000);
  await details.pane().getByRole('button', { name: 'Load older messages' }).click();
  await details.pane().getByText('More messages lie between').waitFor({ state: 'detached' });
  expect(await details.pane().locator('tbody tr').count()).toBe(2_501);
});

test('resources: groups, pages, and the values of one over time', async () => {
  await w.login('observer', '/console/en/monitoring/modules/postgresql/nodes/node1/resources?group=all');
  const details = new DetailsPage(w.page);
  await details.resources().first().waitFor();
  expect(await details.resources().count()).toBe(10);
  await w.page.getByRole('button', { name: 'Next page' }).click();
  await w.page.getByText('Page 2 of 2').waitFor();
  await w.page.getByRole('radio', { name: 'Checkers' }).click();
  await details.resources().filter({ hasText: 'checkfile' }).click();
  await details.pane().locator('canvas').waitFor();
  expect(await details.pane().locator('tbody tr').count()).toBe(8);
  expect(w.page.url()).toContain('resource=custom.checkfile');
});

test('a resource that changes is shown at once', async () => {
  await w.login('observer', '/console/en/monitoring/modules/postgresql/nodes/node1/resources?group=checkers');
  const details = new DetailsPage(w.page);
  const row = details.resources().filter({ hasText: 'checkfile' });
  await row.getByText('up').waitFor();
  const node = w.mock.api.cluster.node('node1');
  node.modules.get('postgresql')!.resources.find((r) => r.resource === 'custom.checkfile')!.value = 'down';
  w.mock.api.cluster.changed(node);
  await row.getByText('down').waitFor();
});

test('replication is drawn, and a reintegration shows how far it is', async () => {
  await w.login('observer', '/console/en/monitoring/modules/postgresql/nodes/node1/replication');
  await w.page.locator('.plot canvas').waitFor();
  await new DetailsPage(w.page).open('files', 'node3', 'replication');
  await w.page.getByText('1,204 of 3,310 files').waitFor();
  expect(await w.page.getByRole('progressbar', { name: 'Reintegration in progress' }).getAttribute('aria-valuenow')).toMatch(/^6\d$/);
});

test('why a module waits, and what to do', async () => {
  await w.login('observer', '/console/en/monitoring/modules/notification/nodes/node1/explain');
  await w.page.getByText('/srv/spool/ready is missing').waitFor();
  await w.page.getByText('the module wakes up by itself').waitFor();
});

test('who answers a client of a farm', async () => {
  await w.login('observer', '/console/en/monitoring/modules/web/nodes/node1/information');
  await w.page.getByLabel('IP address of the client').fill('192.168.1.20');
  await w.page.getByRole('button', { name: 'Look up' }).click();
  await w.page.locator('.table', { hasText: '10.0.0.240:80/tcp' }).getByText('node3').waitFor();
});

test('rescue archives are listed with the commands that restore them', async () => {
  await w.login('observer', '/console/en/monitoring/modules/postgresql/nodes/node1/rescue');
  await w.page.getByText('Not looked at yet').waitFor();
  await w.page.getByText('safekit rescue diff -m postgresql').waitFor();
});

test('a module that is not there says so', async () => {
  await w.login('observer', '/console/en/monitoring/modules/absent/nodes/node1/logs');
  await w.page.getByText('absent is not installed on node1').waitFor();
});
