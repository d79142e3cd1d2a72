import { expect, test } from 'vitest';
import { configurationOf, filesOf } from '../mock/state';
import { WizardPage } from './pages/configuration';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();
const wizard = () => new WizardPage(w.page);
const cluster = () => w.mock.api.cluster;
const state = () => configurationOf(cluster());
const on = (node: string, module = 'postgresql') => cluster().node(node).modules.get(module)!;
const text = (path = 'conf/userconfig.xml', module = 'postgresql') => filesOf(cluster(), on('node1', module)).find((file) => file.path === path)?.text;

const stop = (...nodes: string[]) => {
  for (const name of nodes) cluster().state(cluster().node(name), on(name), 'STOP', 'NotReady');
};

const open = (step = '', module = 'postgresql') => w.login('admin', `/console/en/configuration/modules/${module}/config${step && `?step=${step}`}`);

test('W-3b: a node on which the module runs or which does not answer cannot be applied to; checking works', async () => {
  cluster().node('node3').reachable = false;
  await open('apply');
  const page = wizard();
  expect(await page.target('node1').textContent()).toContain('The module is in state PRIM there');
  expect(await page.target('node2').textContent()).toContain('The module is in state SECOND there');
  expect(await page.target('node3').textContent()).toContain('The node does not answer');
  expect(await page.target('node3').locator('.why').getAttribute('title')).toContain('connection timed out');
  expect(await page.box('node3').isDisabled()).toBe(true);
  expect(await page.box('node1').isDisabled()).toBe(true);
  expect(await page.button('Save and apply').isDisabled()).toBe(true);
  await page.button('Save and check').click();
  await page.notice('saved and correct').waitFor();
  await page.button('Back').click();
  // It follows the state of the module by itself.
  stop('node1');
  await page.target('node1').getByText('stop it first').waitFor({ state: 'detached' });
  await page.box('node2').uncheck();
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
});

test('each field writes its attribute, comments stay', async () => {
  stop('node1', 'node2');
  await open();
  const page = wizard();
  const before = text()!;
  await page.field('Failure detected after').fill('10s');
  await page.field('Automatic failover').uncheck();
  await page.field('Default primary').selectOption('node2');
  await page.field('Where a write is safe').selectOption('none');
  await page.section('Checkers').getByRole('button', { name: 'TCP service' }).click();
  await page.section('Checkers').getByLabel('Port').fill('5432');
  await page.add(page.section('Replicated directories'), 'Directory to replicate', '/var/lib/pg');
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  const after = text()!;
  for (const part of ['timeout="10s"', 'failover="off"', 'defaultprim="node2"', 'async="none"', 'port="5432"', 'dir="/var/lib/pg"']) {
    expect(after).toContain(part);
  }
  for (const comment of before.match(/<!--[^]*?-->/g)!) expect(after).toContain(comment);
});

test('what is wrong is told beside the field, by line in the XML, and before it is applied', async () => {
  await open();
  const page = wizard();
  await page.field('Failure detected after').fill('soon');
  await w.page.getByText('Write a whole number, perhaps with its unit').waitFor();
  await page.button('Next').click();
  await page.faults().first().waitFor();
  expect(new URL(w.page.url()).search).toBe('');
  await page.faults().first().getByRole('button').click();
  await w.page.locator('.cm-lint-marker-error').waitFor();
  expect(await w.page.locator('.cm-lintRange-error').textContent()).toContain('timeout="soon"');
  await page.step('Apply').click();
  await page.notice('The configuration has 1 error').waitFor();
  await page.button('Save and check').click();
  await page.run('check').getByText('The configuration has errors').waitFor();
  expect(await page.run('check').locator('.faults').textContent()).toContain('heart timeout');
});

test('a text that is no XML keeps the form away, not the text', async () => {
  await open();
  const page = wizard();
  await page.advanced().click();
  await page.editor().focus();
  await w.page.keyboard.press('Control+End');
  for (let i = 0; i < 3; i += 1) await w.page.keyboard.press('Backspace');
  await page.form().click();
  await page.notice('The form cannot show this text').getByRole('button').click();
  await page.editor().waitFor();
});

test('scripts: edited, added, taken back', async () => {
  stop('node1', 'node2');
  await open('scripts');
  const page = wizard();
  await page.line('systemctl start myservice').click();
  await w.page.keyboard.press('Home');
  await w.page.keyboard.type('echo hello\n');
  await w.page.getByText('Not saved').first().waitFor();
  await page.script('stop_prim').click();
  await page.line('systemctl stop myservice').waitFor();
  await page.line('systemctl stop myservice').click();
  await w.page.keyboard.type('# no more');
  await page.button('Undo changes').click();
  await page.line('# no more').waitFor({ state: 'detached' });
  await w.page.getByLabel('Advanced configuration').check();
  await page.script('prestart').waitFor();
  await page.add(w.page.locator('.script-list'), 'New script', 'checker');
  await page.line('Running checker').waitFor();
  await page.step('Apply').click();
  expect(await page.section('Changes').locator('.word').allTextContents()).toEqual(['bin/checker', 'bin/start_prim']);
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  expect(text('bin/start_prim')).toContain('echo hello\n# systemctl start myservice');
  expect(text('bin/checker')).toContain('#!/bin/sh');
});

test('encryption is switched off with the next application', async () => {
  stop('node1', 'node2');
  await open('encryption');
  const page = wizard();
  await page.field('Encrypt').uncheck();
  await page.notice('Without encryption').waitFor();
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  expect([on('node1').encrypted, on('node2').encrypted]).toEqual([false, false]);
});

test('new keys are one action: removed everywhere, then made and applied everywhere', async () => {
  await open('encryption');
  const page = wizard();
  await page.button('Make new keys…').click();
  await page.dialog().getByText('node2: The module is in state SECOND').waitFor();
  expect(await page.confirm().isDisabled()).toBe(true);
  stop('node1', 'node2');
  await page.dialog().getByText('The module is in state').first().waitFor({ state: 'detached' });
  state().failing.set('node2', 'the disk is full');
  await page.confirm().click();
  await page.run('off:node2').getByText('the disk is full').waitFor();
  // What comes after a failure is not attempted, until it is repaired.
  await page.state('key-on').filter({ hasText: 'Not attempted' }).waitFor();
  state().failing.clear();
  await page.run('off:node2').getByRole('button', { name: 'Try again' }).click();
  await page.notice('The module has new keys').waitFor();
  expect([on('node1').encrypted, on('node2').encrypted]).toEqual([true, true]);
});

test('the second of two administrators chooses file by file; nothing is lost', async () => {
  stop('node1', 'node2');
  await open();
  const page = wizard();
  await page.field('Failure detected after').fill('10s');
  await page.step('Scripts').click();
  await page.line('systemctl start myservice').click();
  await w.page.keyboard.press('Home');
  await w.page.keyboard.type('echo mine\n');
  // Meanwhile another one changes the same file, and one more.
  const files = filesOf(cluster(), on('node1'));
  state().files.set('postgresql', files.map((file) => {
    if (file.path === 'conf/userconfig.xml') return { ...file, text: file.text!.replace('maxloop="3"', 'maxloop="9"') };
    return file.path === 'bin/stop_prim' ? { ...file, text: `${file.text}# theirs\n` } : file;
  }));
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.dialog().waitFor();
  const clashes = page.dialog().locator('.clash');
  expect(await clashes.locator('header .badge').allTextContents()).toEqual(['Changed by you', 'Changed by them', 'Changed by both']);
  expect(await clashes.nth(2).locator('.diff-line.theirs').allTextContents()).toHaveLength(2);
  await page.button('Decide later').click();
  await page.button('Compare and choose').click();
  await clashes.nth(2).getByRole('radio', { name: 'Theirs' }).click();
  await page.confirm().click();
  await page.notice('The configuration is applied').waitFor();
  expect(text()).toContain('maxloop="9"');
  expect(text()).not.toContain('timeout="10s"');
  expect(text('bin/start_prim')).toContain('echo mine');
  expect(text('bin/stop_prim')).toContain('# theirs');
});

test('what another administrator saved on a node is overwritten there only by who has seen it', async () => {
  stop('node1', 'node2');
  await open();
  const page = wizard();
  await page.field('Failure detected after').fill('10s');
  const theirs = () => state().elsewhere.get('node2/postgresql');
  state().elsewhere.set('node2/postgresql', filesOf(cluster(), on('node1')).map((file) => ({ ...file, text: file.text!.replace('maxloop="3"', 'maxloop="9"') })));
  const dialog = async () => {
    await page.run('node:node2').getByRole('button', { name: 'Compare and choose' }).click();
    await page.dialog().getByRole('heading', { name: 'node2 holds another configuration' }).waitFor();
  };
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.notice('Not everything succeeded').waitFor();
  expect(await page.state('node:node1').textContent()).toContain('Success');
  expect(await page.run('node:node2').textContent()).toContain('nothing was changed');
  await dialog();
  expect(await page.dialog().locator('.diff-line.theirs').first().textContent()).toContain('maxloop="9"');
  await page.button('Decide later').click();
  expect(theirs()).toBeDefined();
  // Trying again changes nothing of that.
  await page.run('node:node2').getByRole('button', { name: 'Try again' }).click();
  await page.state('node:node2').filter({ hasText: 'Failure' }).waitFor();
  expect(theirs()).toBeDefined();
  await dialog();
  await page.button('Overwrite on node2').click();
  await page.notice('The configuration is applied').waitFor();
  expect(theirs()).toBeUndefined();
  expect(text()).toContain('timeout="10s"');
});

test('what another administrator saved on a node can be taken over instead', async () => {
  stop('node1', 'node2');
  await open('apply');
  const page = wizard();
  state().elsewhere.set('node2/postgresql', filesOf(cluster(), on('node1')).map((file) => ({ ...file, text: file.text!.replace('maxloop="3"', 'maxloop="9"') })));
  await page.button('Save and apply').click();
  await page.run('node:node2').getByRole('button', { name: 'Compare and choose' }).click();
  await page.button('Open theirs in the wizard').click();
  await page.step('Apply').click();
  expect(await page.section('Changes').locator('.word').allTextContents()).toEqual(['conf/userconfig.xml']);
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  expect(text()).toContain('maxloop="9"');
});

test('what was only checked begins where all changes begin: over what was there, not over what another one saved', async () => {
  stop('node1', 'node2');
  cluster().here = 'node2';
  const first = () => state().elsewhere.get('node1/postgresql');
  const loaded = filesOf(cluster(), on('node2'));
  state().elsewhere.set('node1/postgresql', loaded);
  await open();
  const page = wizard();
  const check = async (timeout: string) => {
    await page.field('Failure detected after').fill(timeout);
    await page.step('Apply').click();
    await page.button('Save and check').click();
    await page.notice('saved and correct').waitFor();
    await page.step('Edit').click();
  };
  await check('10s');
  expect(first()).toBe(loaded);
  // Edited on after the check: that is no conflict with oneself.
  await page.field('Failure detected after').fill('11s');
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  expect(text()).toContain('timeout="11s"');
  // Another one saves on the first node meanwhile: nothing is applied anywhere before one of them is chosen.
  await page.step('Edit').click();
  await check('12s');
  state().elsewhere.set('node1/postgresql', loaded.map((file) => ({ ...file, text: file.text!.replace('maxloop="3"', 'maxloop="9"') })));
  const applied = on('node2').active;
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.dialog().getByText('Another administrator saved meanwhile').waitFor();
  expect(await page.dialog().locator('.diff-line.theirs').allInnerTexts()).toEqual(expect.arrayContaining([expect.stringContaining('maxloop="9"')]));
  expect(on('node2').active).toBe(applied);
  await page.dialog().getByRole('radio', { name: 'Mine' }).click();
  await page.confirm().click();
  await page.notice('The configuration is applied').waitFor();
  expect(text()).toContain('timeout="12s"');
});

test('keys of another administrator are replaced only by who knows of them', async () => {
  stop('node1', 'node2');
  on('node1').saved_key = on('node2').saved_key = 'none';
  await open('encryption');
  const page = wizard();
  await page.field('Encrypt').check();
  await page.step('Apply').click();
  state().keys.set('postgresql', 7);
  await page.button('Save and apply').click();
  await page.dialog().getByText('has made or removed keys').waitFor();
  expect([state().keys.get('postgresql'), on('node1').saved_key]).toEqual([7, 'none']);
  await page.button('Decide later').click();
  await page.run('key').getByRole('button', { name: 'Try again' }).click();
  await page.state('key').filter({ hasText: 'Failure' }).waitFor();
  expect(state().keys.get('postgresql')).toBe(7);
  await page.button('Compare and choose').click();
  await page.confirm().click();
  await page.notice('The configuration is applied').waitFor();
  expect([state().keys.get('postgresql'), on('node1').encrypted, on('node2').encrypted]).toEqual([8, true, true]);
});

test('a save whose answer was lost is no conflict with oneself', async () => {
  await open();
  const page = wizard();
  await page.field('Failure detected after').fill('10s');
  await page.step('Apply').click();
  state().lost = 1;
  await page.button('Save and check').click();
  await page.state('save').filter({ hasText: 'Failure' }).waitFor();
  await page.run('save').getByRole('button', { name: 'Try again' }).click();
  await page.notice('saved and correct').waitFor();
  expect(await page.dialog().count()).toBe(0);
});

test('keys that are saved are told beside those that are active', async () => {
  stop('node1', 'node2');
  on('node1').saved_key = 'none';
  await open('encryption');
  const page = wizard();
  await page.notice('applying it ends the encryption').waitFor();
  expect(await page.field('Encrypt').isChecked()).toBe(false);
  await page.step('Apply').click();
  expect(await page.section('Changes').locator('.word').allTextContents()).toEqual([expect.stringContaining('Encryption ends')]);
  await page.step('Encryption').click();
  await page.field('Encrypt').check();
  await w.page.getByText('Keys will be made').waitFor();
  await page.step('Apply').click();
  await page.button('Save and apply').click();
  await page.notice('The configuration is applied').waitFor();
  expect([on('node1').encrypted, on('node2').encrypted]).toEqual([true, true]);
});

test('a farm is shared by rules and weights', async () => {
  await open('', 'web');
  const page = wizard();
  const section = page.section('Load balancing');
  await section.getByLabel('Nodes of different power').check();
  await section.getByLabel('node2').fill('3');
  await section.getByLabel('Clients stay on a node by').selectOption('on_addr');
  await page.section('Virtual IP addresses').getByLabel('MAC address that answers').selectOption('vmac_invisible');
  await page.button('Next').click();
  await page.step('Apply').click();
  await page.button('Save and check').click();
  await page.notice('saved and correct').waitFor();
  const saved = text('conf/userconfig.xml', 'web')!;
  expect(saved).toContain('<host name="node2" power="3"/>');
  expect(saved).toContain('filter="on_addr"');
  expect(saved).toContain('type="vmac_invisible"');
});

test('leaving asks, a new language keeps what was edited, in French too', async () => {
  await open();
  const page = wizard();
  await page.field('Failure detected after').fill('12s');
  await new Shell(w.page).menu('Français');
  await w.page.getByLabel('Panne détectée après').waitFor();
  expect(await w.page.getByLabel('Panne détectée après').inputValue()).toBe('12s');
  await new Shell(w.page).link('Cluster').click();
  await page.dialog().getByText('Quitter sans enregistrer').waitFor();
  await page.confirm().click();
  await w.page.waitForURL('**/fr/configuration/cluster');
});

test('operators and observers do not get here', async () => {
  await w.login('operator', '/console/en/configuration/modules/postgresql/config');
  await w.page.getByText('Your role does not open this page').waitFor();
});
