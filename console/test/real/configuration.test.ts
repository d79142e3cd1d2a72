// What the wizards may do while modules run, nodes are lost and others configure too.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { ClusterPage, ConfigurationPage, WizardPage } from '../e2e/pages/configuration';
import { Shell } from '../e2e/pages/shell';
import { browsers, sandboxes } from './browsers';
import { configure, file, install, mirror, signatures } from './module';
import { picture } from './pictures';
import { PATIENCE, type Sandbox } from './sandbox';

const up = sandboxes();
const open = browsers();

const XML = 'conf/userconfig.xml';
const WIZARD = '/console/en/configuration/modules/shop/config';
const CLUSTER = '/console/en/configuration/cluster/config';
const timeout = (seconds: number): string => mirror({ timeout: seconds });

/** What is kept of the module, newest first: the dates in the names are of whole seconds. */
const kept = async (sandbox: Sandbox): Promise<string[]> => (await sandbox.sh('node1', 'ls -r "$SAFE/modules/lastconfig" | grep ^shop_')).trim().split('\n');

async function edited(page: Page, seconds: string): Promise<WizardPage> {
  const wizard = new WizardPage(page);
  await wizard.field('Failure detected after').fill(`${seconds}s`);
  await wizard.step('Apply').click();
  return wizard;
}

test('W-3b: nothing is applied where the module runs or the node is lost; the last configurations come back', async () => {
  const sandbox = await up('w3b');
  await install(sandbox, 'shop', timeout(3));
  await sandbox.safekit('node1', 'prim', '-m', 'shop');
  await sandbox.safekit('node1', 'waitstate', 'ALONE', '-m', 'shop');
  const page = await open(sandbox, { address: WIZARD });
  const wizard = await edited(page, '4');
  const before = await signatures(sandbox, 'node1', 'shop');

  // It runs on node1: nothing can be applied, but saved and checked.
  await wizard.target('node1').getByText('The module is in state ALONE there').waitFor();
  expect(await wizard.button('Save and apply').isDisabled()).toBe(true);
  await picture(page, 'w3b-running');
  await wizard.button('Save and check').click();
  await wizard.notice('saved and correct').waitFor();
  const saved = await signatures(sandbox, 'node1', 'shop');
  expect([saved.active, saved.current === before.current]).toEqual([before.active, false]);
  expect(await file(sandbox, 'node1', 'shop', XML)).toContain('timeout="4s"');
  await wizard.button('Back').click();

  // It stops, and node2 is lost: node1 alone can be applied to.
  await sandbox.safekit('node1', 'stop', '-m', 'shop');
  await sandbox.safekit('node1', 'waitstop', '-m', 'shop');
  await wizard.target('node1').getByText('stop it first').waitFor({ state: 'detached' });
  await expect.poll(() => wizard.button('Save and apply').isEnabled()).toBe(true);
  await sandbox.poweroff('node2');
  await wizard.notice('Cannot be applied now on node2').waitFor();
  expect(await wizard.button('Save and apply').isDisabled()).toBe(true);
  await picture(page, 'w3b-lost');
  await wizard.box('node2').uncheck();
  expect(await wizard.box('node2').isDisabled()).toBe(true);
  await wizard.button('Save and apply').click();
  await wizard.notice('The configuration is applied').waitFor();
  expect(await signatures(sandbox, 'node1', 'shop')).toEqual({ active: saved.current, current: saved.current });

  // It is back: the page knows it by itself.
  await wizard.button('Back').click();
  await sandbox.poweron('node2');
  await expect.poll(() => wizard.box('node2').isEnabled(), PATIENCE).toBe(true);
  await wizard.box('node2').check();
  await wizard.button('Save and apply').click();
  await wizard.notice('The configuration is applied').waitFor();
  expect(await signatures(sandbox, 'node2', 'shop')).toEqual({ active: saved.current, current: saved.current });

  // Of all that was applied the last three are kept; the oldest of them is restored and applied.
  const names = [await kept(sandbox)];
  for (const n of [5, 6, 7]) {
    await sandbox.sh('node1', 'now=$(date +%s); while [ "$(date +%s)" = "$now" ]; do sleep 0.05; done');
    await configure(sandbox, 'shop', timeout(n));
    names.push(await kept(sandbox));
  }
  expect(names.at(-1)).toHaveLength(3);
  await new Shell(page).link('Modules').last().click();
  await wizard.choose('Actions on the configuration of shop', 'Restore a configuration');
  const rows = wizard.dialog().locator('.pick-list li');
  await rows.first().waitFor();
  await picture(page, 'w3b-restore');
  expect((await rows.locator('code').allInnerTexts()).map((name) => `${name}.safe`)).toEqual(names.at(-1));
  await rows.last().getByRole('button', { name: 'Open in the wizard' }).click();
  await page.waitForURL('**/modules/shop/config');
  await expect.poll(() => wizard.field('Failure detected after').inputValue()).toBe('5s');
  // Loaded, not saved.
  expect(await file(sandbox, 'node1', 'shop', XML)).toBe(timeout(7));
  await wizard.step('Apply').click();
  await wizard.button('Save and apply').click();
  await wizard.notice('The configuration is applied').waitFor();
  expect([await file(sandbox, 'node1', 'shop', XML), await file(sandbox, 'node2', 'shop', XML)]).toEqual([timeout(5), timeout(5)]);
  const [one, two] = [await signatures(sandbox, 'node1', 'shop'), await signatures(sandbox, 'node2', 'shop')];
  expect([one.active === one.current, two]).toEqual([true, one]);
});

/** Both save at the same time: how it ends for each of them. */
async function race(wizards: ConfigurationPage[], good: string): Promise<string[]> {
  await Promise.all(wizards.map((wizard) => wizard.button('Save and apply').click()));
  return Promise.all(
    wizards.map(async (wizard) => {
      await wizard.notice(good).or(wizard.dialog()).first().waitFor();
      return (await wizard.dialog().count()) > 0 ? 'conflict' : 'applied';
    }),
  );
}

test('two administrators in the module wizard, on two nodes: the second one sees what the first one saved, and decides', async () => {
  const sandbox = await up('twomodule');
  await install(sandbox, 'shop', timeout(3));
  const [first, second] = [await open(sandbox, { address: WIZARD }), await open(sandbox, { node: 'node2', address: WIZARD })];
  await new WizardPage(second).field('Failure detected after').waitFor();
  const mine = new WizardPage(second);
  const on = (node: string) => file(sandbox, node, 'shop', XML);

  const apply = async (n: string): Promise<void> => {
    const wizard = await edited(first, n);
    await wizard.button('Save and apply').click();
    await wizard.notice('The configuration is applied').waitFor();
    await wizard.step('Edit').click();
  };
  /** The second one saves too: nothing of it may be there yet. */
  const meet = async (n: string, theirs: string): Promise<void> => {
    await edited(second, n);
    const before = await signatures(sandbox, 'node1', 'shop');
    await mine.button('Save and apply').click();
    await mine.dialog().getByText('Another administrator saved meanwhile').waitFor();
    const line = (who: string) => mine.dialog().locator(`.diff-line.${who} code`).allInnerTexts();
    expect([(await line('theirs')).join(), (await line('mine')).join()]).toEqual([expect.stringContaining(`timeout="${theirs}s"`), expect.stringContaining(`timeout="${n}s"`)]);
    for (const node of ['node1', 'node2']) {
      expect(await on(node)).toContain(`timeout="${theirs}s"`);
      expect(await signatures(sandbox, node, 'shop')).toEqual(before);
    }
  };

  // Theirs is taken.
  await apply('4');
  await meet('5', '4');
  await picture(second, 'two-module');
  await mine.dialog().getByRole('radio', { name: 'Theirs' }).click();
  await mine.confirm().click();
  await mine.notice('The configuration is applied').waitFor();
  expect([await on('node1'), await on('node2')]).toEqual([timeout(4), timeout(4)]);
  await mine.step('Edit').click();
  expect(await mine.field('Failure detected after').inputValue()).toBe('4s');

  // Mine goes over theirs, knowingly.
  await apply('6');
  await meet('7', '6');
  await mine.dialog().getByRole('radio', { name: 'Mine' }).click();
  await mine.confirm().click();
  await mine.notice('The configuration is applied').waitFor();
  expect([await on('node1'), await on('node2')]).toEqual([timeout(7), timeout(7)]);

  // At the same moment one of them wins, on both nodes.
  for (const page of [first, second]) await page.goto(WIZARD);
  const ends = await race([await edited(first, '8'), await edited(second, '9')], 'The configuration is applied');
  expect([...ends].sort()).toEqual(['applied', 'conflict']);
  const winner = timeout(ends[0] === 'applied' ? 8 : 9);
  expect([await on('node1'), await on('node2')]).toEqual([winner, winner]);
  const [one, two] = [await signatures(sandbox, 'node1', 'shop'), await signatures(sandbox, 'node2', 'shop')];
  expect([one.active, two]).toEqual([one.current, one]);
});

test('two administrators in the cluster wizard, on two nodes: the second one sees what the first one saved, and decides', async () => {
  const sandbox = await up('twocluster');
  const [first, second] = [await open(sandbox, { address: CLUSTER }), await open(sandbox, { node: 'node2', address: CLUSTER })];
  const [theirs, mine] = [new ClusterPage(first), new ClusterPage(second)];
  const named = async (page: ClusterPage, name: string) => page.lan(1).getByLabel('Name of the network').fill(name);
  const on = (node: string) => sandbox.sh(node, 'cat "$SAFEVAR/cluster/cluster.xml"');
  const both = async (name: string) => expect([await on('node1'), await on('node2')]).toEqual([expect.stringContaining(`<lan name="${name}">`), await on('node1')]);
  const applied = (page: ConfigurationPage) => page.notice('The cluster is configured').waitFor();
  const meet = async (name: string, other: string): Promise<void> => {
    await named(mine, name);
    await mine.button('Save and apply').click();
    await mine.dialog().getByText('Another administrator saved meanwhile').waitFor();
    expect(await mine.dialog().locator('.diff-line.theirs code').allInnerTexts()).toEqual([expect.stringContaining(`name="${other}"`)]);
    expect(await mine.dialog().locator('.diff-line.mine code').allInnerTexts()).toEqual([expect.stringContaining(`name="${name}"`)]);
    await both(other);
  };

  await named(theirs, 'back');
  await mine.lan(1).waitFor();
  await theirs.button('Save and apply').click();
  await applied(theirs);
  await both('back');
  await meet('private', 'back');
  await picture(second, 'two-cluster');
  await mine.dialog().getByRole('radio', { name: 'Theirs' }).click();
  await mine.confirm().click();
  expect(await mine.lan(1).getByLabel('Name of the network').inputValue()).toBe('back');
  await both('back');

  await theirs.button('Back').click();
  await named(theirs, 'behind');
  await theirs.button('Save and apply').click();
  await applied(theirs);
  await meet('private', 'behind');
  await mine.dialog().getByRole('radio', { name: 'Mine' }).click();
  await mine.confirm().click();
  await applied(mine);
  await both('private');

  // At the same moment one of them wins, on both nodes.
  for (const page of [first, second]) await page.goto(CLUSTER);
  await named(theirs, 'one');
  await named(mine, 'two');
  const ends = await race([theirs, mine], 'The cluster is configured');
  expect([...ends].sort()).toEqual(['applied', 'conflict']);
  await both(ends[0] === 'applied' ? 'one' : 'two');
});
