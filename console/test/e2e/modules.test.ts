import { expect, test } from 'vitest';
import { moduleFor } from '../mock/archive';
import { configurationOf, delivered } from '../mock/state';
import { ModulesPage, WizardPage } from './pages/configuration';
import { world } from './setup';

const w = world();
const modules = () => new ModulesPage(w.page);
const state = () => configurationOf(w.mock.api.cluster);
const on = (node: string, module: string) => w.mock.api.cluster.node(node).modules.get(module);

const stop = (module: string, ...nodes: string[]) => {
  for (const name of nodes) w.mock.api.cluster.state(w.mock.api.cluster.node(name), on(name, module)!, 'STOP', 'NotReady');
};

test('the home shows every module: applied, saved and not applied, keys', async () => {
  await w.login('admin', '/console/en/configuration/modules');
  const page = modules();
  await page.card('postgresql').waitFor();
  expect(await page.card('postgresql').locator('.module-node').allTextContents()).toHaveLength(2);
  const web = on('node1', 'web')!;
  Object.assign(web, { current: { signature: 'ff', date: web.current.date + 60 } });
  w.mock.api.cluster.changed(w.mock.api.cluster.node('node1'));
  await page.card('web').getByText('not applied').waitFor();
  Object.assign(on('node2', 'web')!, { active: { signature: 'ee', date: 1 }, encrypted: false });
  w.mock.api.cluster.changed(w.mock.api.cluster.node('node2'));
  await page.card('web').getByText('do not run the same configuration').waitFor();
  await page.card('web').getByText('do not have the same keys').waitFor();
});

test('a new module from a template gets a free name and opens the wizard', async () => {
  await w.login('admin', '/console/en/configuration/modules/new');
  const page = modules();
  expect(await page.button('Configure the new module').isDisabled()).toBe(true);
  // The name of a backup is without its date.
  await page.template('crm_2026').check();
  expect(await page.field('Name').inputValue()).toBe('crm');
  await page.template('notification').check();
  expect(await page.field('Name').inputValue()).toBe('notification2');
  for (const [name, told] of [['notification', 'already'], ['a b', 'Write 1 to 32'], ['', 'Write 1 to 32']] as const) {
    await page.field('Name').fill(name);
    await w.page.getByText(told).waitFor();
    expect(await page.button('Configure the new module').isDisabled()).toBe(true);
  }
  await page.field('Name').fill('alert');
  await page.field('Name').press('Enter');
  await w.page.waitForURL('**/configuration/modules/alert/config');
  await w.page.getByRole('heading', { name: 'alert', level: 1 }).waitFor();
});

test('a local .safe is a new module, or other files of one that is there', async () => {
  await w.login('admin', '/console/en/configuration/modules/new');
  const page = modules();
  const input = w.page.locator('input[type=file]');
  await input.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  await w.page.getByText('ends with .safe or .zip').waitFor();
  await input.setInputFiles({ name: 'shop (1).safe', mimeType: '', buffer: moduleFor(delivered('mirror')) });
  expect(await page.field('Name').inputValue()).toBe('shop');
  await page.button('Configure the new module').click();
  await w.page.waitForURL('**/configuration/modules/shop/config');

  await w.page.goto('/console/en/configuration/modules');
  await page.choose('Actions on the configuration of shop', /local .safe/);
  await input.setInputFiles({ name: 'bad.safe', mimeType: '', buffer: Buffer.from('no zip') });
  await page.confirm().click();
  await page.dialog().getByText('it is not a zip archive').waitFor();
  const other = delivered('mirror').map((file) => (file.path === 'bin/stop_prim' ? { ...file, text: 'echo other\n' } : file));
  await input.setInputFiles({ name: 'good.safe', mimeType: '', buffer: moduleFor(other) });
  await page.confirm().click();
  // Nothing is saved before the wizard does it.
  await w.page.waitForURL('**/configuration/modules/shop/config');
  const wizard = new WizardPage(w.page);
  await wizard.step('Apply').click();
  expect(await wizard.section('Changes').locator('.word code').allTextContents()).toEqual(['bin/stop_prim']);
  await wizard.button('Save and check').click();
  await wizard.notice('saved and correct').waitFor();
  expect(state().files.get('shop')!.find((file) => file.path === 'bin/stop_prim')!.text).toBe('echo other\n');
});

test('one of the last three configurations comes back into the wizard', async () => {
  await w.login('admin', '/console/en/configuration/modules');
  const page = modules();
  await page.choose('Actions on the configuration of postgresql', /Restore/);
  await page.dialog().locator('.pick-list li').nth(2).waitFor();
  const before = on('node1', 'postgresql')!.current;
  await page.dialog().getByRole('button', { name: 'Open in the wizard' }).first().click();
  await w.page.waitForURL('**/configuration/modules/postgresql/config');
  await w.page.getByText('More settings').first().click();
  expect(await w.page.getByLabel('Automatic restarts allowed').inputValue()).toBe('7');
  // Nothing has changed on the node, and nothing will of the keys.
  const wizard = new WizardPage(w.page);
  await wizard.step('Apply').click();
  expect(await wizard.section('Changes').locator('.word').allTextContents()).toEqual(['conf/userconfig.xml']);
  expect(on('node1', 'postgresql')).toMatchObject({ current: before, saved_key: 'active' });
  await wizard.button('Save and check').click();
  await wizard.notice('saved and correct').waitFor();
  expect(state().files.get('postgresql')!.find((file) => file.path === 'conf/userconfig.xml')!.text).toContain('maxloop="7"');
  expect(on('node1', 'postgresql')!.saved_key).toBe('active');
});

test('the keys of a module are in its wizard', async () => {
  await w.login('admin', '/console/en/configuration/modules');
  await modules().choose('Actions on the configuration of postgresql', /^Encryption/);
  await w.page.getByRole('button', { name: 'Make new keys…' }).waitFor();
});

test('the .safe is downloaded', async () => {
  await w.login('admin', '/console/en/configuration/modules');
  const download = w.page.waitForEvent('download');
  await modules().choose('Actions on the configuration of postgresql', /Download/);
  expect((await download).suggestedFilename()).toBe('postgresql.safe');
});

test('unconfigure and uninstall take the nodes where the module is stopped', async () => {
  stop('postgresql', 'node1');
  await w.login('admin', '/console/en/configuration/modules');
  const page = modules();
  await page.choose('Actions on the configuration of postgresql', /Unconfigure/);
  expect(await page.dialog().getByLabel('node2').isDisabled()).toBe(true);
  await page.dialog().getByText('The module is in state SECOND there').waitFor();
  await page.confirm().click();
  await page.state('node1').filter({ hasText: 'Success' }).waitFor();
  expect([on('node1', 'postgresql')!.configured, on('node2', 'postgresql')!.configured]).toEqual([false, true]);
  await page.dialog().getByRole('button', { name: 'Close' }).last().click();
  stop('postgresql', 'node2');
  await page.choose('Actions on the configuration of postgresql', /Uninstall/);
  await page.dialog().getByText('SAFE/Application_Modules/backup').waitFor();
  await page.confirm().click();
  await page.state('node1').filter({ hasText: 'Success' }).waitFor();
  await page.state('node2').filter({ hasText: 'Success' }).waitFor();
  expect([on('node1', 'postgresql'), on('node2', 'postgresql')]).toEqual([undefined, undefined]);
});

test('without any module the page of a new one is shown; a newcomer gets to an applied module', async () => {
  for (const node of w.mock.api.cluster.nodes.values()) node.modules.clear();
  await w.login('admin', '/console/en/configuration/modules');
  const [page, wizard] = [modules(), new WizardPage(w.page)];
  await page.template(/^mirror /).check();
  await page.button('Configure the new module').click();
  const vip = wizard.section('Virtual IP addresses');
  await wizard.add(vip, /free address/, '10.0.0.228');
  await wizard.section('Heartbeat networks').getByRole('button', { name: 'Add private' }).click();
  for (let i = 0; i < 3; i += 1) await wizard.button('Next').click();
  // Encrypted by default.
  await w.page.getByText('Keys will be made').waitFor();
  expect(await wizard.box('node1').isDisabled()).toBe(true);
  expect(await wizard.box('node2').isChecked()).toBe(true);
  expect(await wizard.box('node3').isChecked()).toBe(false);
  await wizard.button('Save and apply').click();
  await wizard.notice('The configuration is applied').waitFor();
  expect(on('node2', 'mirror')).toMatchObject({ configured: true, encrypted: true, mode: 'mirror' });
  const saved = state().files.get('mirror')!.find((file) => file.path === 'conf/userconfig.xml')!.text!;
  expect(saved).toContain('<virtual_addr addr="10.0.0.228" where="one_side_alias" check="on"/>');
  expect(saved).toContain('<heartbeat name="private"/>');
  await wizard.button('Monitor modules').click();
  await w.page.waitForURL('**/monitoring');
});
