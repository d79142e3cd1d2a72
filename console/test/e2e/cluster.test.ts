import { expect, test } from 'vitest';
import { ClusterPage } from './pages/configuration';
import { Shell } from './pages/shell';
import { world } from './setup';
import { configurationOf, fresh, signatureOf } from '../mock/state';

const w = world();
const cluster = () => new ClusterPage(w.page);
const state = () => configurationOf(w.mock.api.cluster);

test('I-3.2.1: where nothing is configured the wizard opens, and takes two servers into a cluster', async () => {
  w.mock.api.use(fresh());
  await w.login('admin', '/console/en/configuration/cluster');
  await w.page.waitForURL('**/configuration/cluster/config');
  const page = cluster();
  const [first, second] = [page.row(0, 0), page.row(0, 1)];
  expect(await page.name(first).inputValue()).toBe('node1');
  await page.address(first).fill('10.0.0.107');
  await page.address(second).fill('10.0.0.108');
  // Tab asks the server at the address for its name.
  await page.address(second).press('Tab');
  await page.reached(second).and(w.page.locator('.good')).waitFor();
  expect(await page.name(second).inputValue()).toBe('node2');
  expect(await page.reached(second).getAttribute('title')).toContain('node2.example.com');
  await page.button('Save and apply').click();
  await page.notice('The cluster is configured').waitFor();
  expect(await page.state('here').textContent()).toContain('Success');
  expect(await page.state('node2').textContent()).toContain('Success');
  expect([...state().applied.keys()]).toEqual(['node1', 'node2']);
  await page.button('Configure modules').click();
  await w.page.waitForURL('**/configuration/modules');
  await w.page.getByRole('heading', { name: 'New module' }).waitFor();
});

test('an address that does not answer has a cross with the reason, and can be asked again', async () => {
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.button('Add a node').first().click();
  const row = page.row(0, 3);
  await page.address(row).fill('10.0.0.200');
  await page.address(row).press('Tab');
  await row.locator('.node-why').waitFor();
  expect(await row.locator('.node-why').textContent()).toContain('10.0.0.200:9010');
  expect(await page.name(row).inputValue()).toBe('');
  state().hosts.set('10.0.0.200', 'node4.example.com');
  await page.reached(row).click();
  await row.locator('.reach.good').waitFor();
});

test('the parser of the server marks lines of the XML, and fields of the form', async () => {
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.address(page.row(0, 1)).fill('10.0.0.999');
  await page.row(0, 1).locator('.field-error').waitFor();
  await page.button('Save and apply').click();
  await page.faults().first().waitFor();
  expect(await page.run('here').count()).toBe(0);
  await page.faults().first().getByRole('button').click();
  await w.page.locator('.cm-lintRange-error').waitFor();
  expect(await w.page.locator('.cm-lintRange-error').textContent()).toContain('10.0.0.999');
  // Typed in the XML, shown in the form.
  await page.line('10.0.0.999').click();
  for (const key of ['End', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'Backspace', 'Backspace']) await w.page.keyboard.press(key);
  await page.form().click();
  expect(await page.address(page.row(0, 1)).inputValue()).toBe('10.0.0.9');
});

test('comments and what the form does not know survive the form', async () => {
  state().xml = state().xml!.replace('<lans>', '<lans pulse="500ms"> <!-- fast -->');
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  const before = state().xml!;
  await page.name(page.row(0, 2)).fill('paris');
  await page.button('Save and apply').click();
  await page.notice('The cluster is configured').waitFor();
  // One name, on both networks.
  expect(state().xml).toBe(before.replaceAll('node3', 'paris'));
});

test('a node that fails shows what it said, and is tried again alone', async () => {
  state().failing.set('node2', 'the cluster configuration is locked: unlock it first');
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.button('Save and apply').click();
  await page.notice('Not everything succeeded').waitFor();
  expect(await page.run('node2').textContent()).toContain('unlock it first');
  expect(await page.state('node3').textContent()).toContain('Success');
  state().failing.clear();
  await page.run('node2').getByRole('button', { name: 'Try again' }).click();
  await page.notice('The cluster is configured').waitFor();
});

test('T-7.13: nodes that differ are told, and get the configuration again', async () => {
  state().applied.set('node3', { signature: 'deadbeef', date: '2026-01-01T00:00:00' });
  w.mock.api.cluster.signatures.set('node3', 'deadbeef');
  await w.login('admin', '/console/en/configuration/cluster');
  const page = cluster();
  await page.notice('Not the same cluster configuration: node3').getByRole('button').click();
  await page.confirm().click();
  await page.state('node3').filter({ hasText: 'Success' }).waitFor();
  await page.dialog().getByRole('button', { name: 'Close' }).last().click();
  await page.node('node3').filter({ hasText: 'Same configuration' }).waitFor();
  expect(await page.notice('Not the same').count()).toBe(0);
});

test('details, XML to keep, and nodes that leave the cluster', async () => {
  await w.login('admin', '/console/en/configuration/cluster');
  const page = cluster();
  await page.node('node2').locator('summary').click();
  await page.node('node2').getByText('10.1.0.108').waitFor();
  const download = w.page.waitForEvent('download');
  await page.choose('More actions', /Download the XML/);
  expect((await download).suggestedFilename()).toBe('cluster.xml');
  await page.choose('More actions', /Unconfigure/);
  expect(await page.confirm().isDisabled()).toBe(true);
  await page.dialog().getByLabel('node3').check();
  await page.confirm().click();
  await page.state('node3').filter({ hasText: 'Success' }).waitFor();
  expect(state().applied.has('node3')).toBe(false);
});

test('the second of two administrators compares and chooses; nothing is lost', async () => {
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.name(page.row(0, 2)).fill('mine');
  await page.address(page.row(0, 2)).focus();
  state().xml = state().xml!.replaceAll('10.0.0.108', '10.0.0.18');
  await page.button('Save and apply').click();
  await page.dialog().waitFor();
  expect(await page.dialog().locator('.diff-line.theirs').first().textContent()).toContain('10.0.0.18');
  expect(await page.dialog().locator('.diff-line.mine').first().textContent()).toContain('10.0.0.108');
  await page.dialog().getByRole('radio', { name: 'Mine' }).click();
  await page.confirm().click();
  await page.notice('The cluster is configured').waitFor();
  expect(state().xml).toContain('name="mine"');
  expect(state().xml).toContain('10.0.0.108');
});

test('a node that another administrator has configured meanwhile is overwritten only by who has seen it', async () => {
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.name(page.row(0, 2)).fill('mine');
  const theirs = state().xml!.replaceAll('10.0.0.109', '10.0.0.19');
  state().xmlOn.set('node2', theirs);
  state().applied.set('node2', { signature: signatureOf(theirs), date: '2026-03-02T11:00:00' });
  await page.button('Save and apply').click();
  await page.notice('Not everything succeeded').waitFor();
  expect(await page.run('node2').textContent()).toContain('nothing was changed');
  await page.run('node2').getByRole('button', { name: 'Compare and choose' }).click();
  await page.dialog().getByRole('heading', { name: 'node2 holds another configuration' }).waitFor();
  expect(await page.dialog().locator('.diff-line.theirs').first().textContent()).toContain('10.0.0.19');
  await page.confirm().click();
  await page.notice('The cluster is configured').waitFor();
  expect(state().xmlOn.size).toBe(0);
});

test('leaving with changes asks; another language keeps them', async () => {
  await w.login('admin', '/console/en/configuration/cluster/config');
  const page = cluster();
  await page.field('Name of the network').first().fill('office');
  await w.page.getByRole('link', { name: 'Command log' }).click();
  await page.dialog().getByRole('button', { name: 'Cancel' }).click();
  expect(w.page.url()).toContain('/cluster/config');
  await new Shell(w.page).menu('Français');
  await w.page.getByLabel('Nom du réseau').first().waitFor();
  expect(await w.page.getByLabel('Nom du réseau').first().inputValue()).toBe('office');
  await w.page.getByRole('button', { name: 'Recharger' }).click();
  await page.confirm().click();
  await w.page.waitForFunction(() => (document.querySelector('.lan-card input') as HTMLInputElement | null)?.value === 'default');
  await w.page.getByRole('link', { name: 'Journal des commandes' }).click();
  await w.page.waitForURL('**/fr/monitoring/commands');
});
