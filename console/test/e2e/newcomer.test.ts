// The path of a newcomer, only with the browser: from servers without a cluster to a mirror module with a
// virtual IP address, then a swap. On the mock; on real servers when SAFEKIT_URL names the first one, e.g.
// those of a sandbox that has no cluster yet:
//   SAFEKIT_URL=http://127.0.0.1:19010 SAFEKIT_PASSWORD=... NODES=10.0.0.1,10.0.0.2 VIP=10.0.0.9 DIRECTORY=/data/replicated

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMock, type MockServer } from '../mock/server';
import { fresh } from '../mock/state';
import { launch, openPage } from './browser';
import { ClusterPage, ModulesPage, WizardPage } from './pages/configuration';
import { LoginPage } from './pages/login';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';

const REAL = process.env['SAFEKIT_URL'];
const [FIRST, SECOND] = (process.env['NODES'] ?? '10.0.0.107,10.0.0.108').split(',') as [string, string];
const VIP = process.env['VIP'] ?? '10.0.0.228';
const DIRECTORY = process.env['DIRECTORY'] ?? '/data/replicated';
/** Commands of real nodes run scripts and copy files. */
const PATIENCE = { timeout: REAL ? 120_000 : 20_000 };

let browser: Browser;
let mock: MockServer | null = null;

beforeAll(async () => {
  browser = await launch();
  if (REAL) return;
  mock = await startMock();
  mock.api.use(fresh());
});
afterAll(async () => {
  await browser.close();
  await mock?.close();
});

test('from two bare servers to a mirror module, and a swap', async () => {
  const { page, errors } = await openPage(browser, REAL ?? mock!.url);
  await new LoginPage(page).login(process.env['SAFEKIT_USER'] ?? 'admin', process.env['SAFEKIT_PASSWORD'] ?? 'pwd', '/console/en/configuration/cluster');

  // The wizard opens by itself. Each address that is left is asked for its name.
  const cluster = new ClusterPage(page);
  for (const [i, addr] of [FIRST, SECOND].entries()) {
    await cluster.address(cluster.row(0, i)).fill(addr);
    await cluster.address(cluster.row(0, i)).press('Tab');
    await cluster.row(0, i).locator('.reach.good').waitFor(PATIENCE);
  }
  const names = await Promise.all([0, 1].map((i) => cluster.name(cluster.row(0, i)).inputValue()));
  const [one, two] = names as [string, string];
  expect(new Set(names).size).toBe(2);
  await cluster.button('Save and apply').click();
  await cluster.notice('The cluster is configured').waitFor(PATIENCE);
  await cluster.button('Configure modules').click();

  const modules = new ModulesPage(page);
  await modules.template(/^mirror /).check(PATIENCE);
  await page.getByRole('textbox', { name: 'Name' }).fill('shop');
  await modules.button('Configure the new module').click();

  const wizard = new WizardPage(page);
  await wizard.add(wizard.section('Virtual IP addresses'), /free address/, VIP);
  const directories = wizard.section('Replicated directories');
  await directories.getByLabel('Directory', { exact: true }).first().fill(DIRECTORY);
  await directories.getByRole('button', { name: 'Remove /test2replicated' }).click();
  for (let i = 0; i < 3; i += 1) await wizard.button('Next').click();
  await page.getByText('Keys will be made').waitFor();
  await wizard.button('Save and apply').click();
  await wizard.notice('The configuration is applied').waitFor(PATIENCE);
  await wizard.button('Monitor modules').click();

  const [monitoring, shell] = [new MonitoringPage(page), new Shell(page)];
  const act = async (node: string, command: string, asked: boolean) => {
    await monitoring.nodeMenu('shop', node);
    await monitoring.choose(command);
    if (asked) await shell.confirm();
  };
  const reach = async (node: string, state: string) =>
    monitoring.state('shop', node).filter({ hasText: new RegExp(`${state}\\s*Ready`) }).waitFor(PATIENCE);
  await act(one, 'Force start as primary', true);
  await reach(one, 'ALONE');
  await act(two, 'Start', false);
  await reach(two, 'SECOND');
  await reach(one, 'PRIM');
  await act(one, 'Swap the roles', true);
  await reach(one, 'SECOND');
  await reach(two, 'PRIM');
  expect(errors).toEqual([]);
}, 300_000);
