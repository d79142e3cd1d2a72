// What the monitoring shows while something is wrong: on real nodes, at once, and the end of it too.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { DetailsPage } from '../e2e/pages/details';
import { LoginPage } from '../e2e/pages/login';
import { MonitoringPage } from '../e2e/pages/monitoring';
import { Shell } from '../e2e/pages/shell';
import { browsers, sandboxes } from './browsers';
import { install, mirror } from './module';
import { picture } from './pictures';
import { PASSWORD, PATIENCE } from './sandbox';

const up = sandboxes();
const open = browsers();

/** Says up or down, by a file. */
const WATCH = `last=none
while sleep 0.1; do
    if [ -e /data/there ]; then now=up; else now=down; fi
    [ $now = $last ] || "$SAFE/safekit" set -r "$2" -v $now -i checkfile
    last=$now
done`;

/** The page was not loaded again since. */
async function same(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => Object.assign(window, { since: 1 }));
  return async () => expect(await page.evaluate(() => 'since' in window)).toBe(true);
}

test('T-7.9: the rule that blocks a module, and the resource that is down; it leaves WAIT on the page', async () => {
  const sandbox = await up('t79');
  const check = '<check><custom ident="checkfile" when="pre" exec="watch" action="wait"/></check>';
  await install(sandbox, 'shop', mirror({ more: check }), { watch: WATCH });
  const page = await open(sandbox);
  const [monitoring, details] = [new MonitoringPage(page), new DetailsPage(page)];
  await sandbox.safekit('node1', 'prim', '-m', 'shop');
  const cell = monitoring.cell('shop', 'node1');
  await monitoring.state('shop', 'node1').filter({ hasText: /WAIT\s*NotReady/ }).waitFor();
  await cell.getByText('c_checkfile').waitFor();
  await cell.getByText('custom.checkfile').waitFor();
  await picture(page, 't79-monitoring');
  await cell.getByRole('link').click();
  const summary = page.locator('.summary');
  await summary.getByText('c_checkfile').waitFor();
  await summary.getByText('custom.checkfile').waitFor();
  await details.tab('Resources').click();
  await page.getByRole('radio', { name: 'Checkers' }).click();
  const row = details.resources().filter({ hasText: 'checkfile' });
  await row.getByText('down', { exact: true }).waitFor();
  await picture(page, 't79-resources');
  await details.tab('Why this state').click();
  await page.locator('.sentences', { hasText: 'c_checkfile' }).waitFor();
  await picture(page, 't79-explain');
  await details.tab('Resources').click();
  await page.getByRole('radio', { name: 'Checkers' }).click();

  const notReloaded = await same(page);
  await sandbox.sh('node1', 'touch /data/there');
  await row.getByText('up', { exact: true }).waitFor();
  await summary.locator('.state').filter({ hasText: /ALONE\s*Ready/ }).waitFor();
  expect(await summary.getByText('c_checkfile').count()).toBe(0);
  await new Shell(page).link('Modules').first().click();
  await monitoring.state('shop', 'node1').filter({ hasText: /ALONE\s*Ready/ }).waitFor();
  await notReloaded();
});

test('a web service that stops, and a node that dies: told at once, and their return too', async () => {
  const sandbox = await up('loss');
  await install(sandbox, 'shop');
  await sandbox.safekit('node2', 'prim', '-m', 'shop');
  await sandbox.safekit('node2', 'waitstate', 'ALONE', '-m', 'shop');
  await sandbox.safekit('node1', 'start', '-m', 'shop');
  const page = await open(sandbox);
  const [monitoring, shell] = [new MonitoringPage(page), new Shell(page)];
  const reached = (node: string, state: string) => monitoring.state('shop', node).filter({ hasText: new RegExp(`${state}\\s*(Not)?Ready`) }).waitFor();
  await reached('node1', 'SECOND');
  await reached('node2', 'PRIM');
  const notReloaded = await same(page);

  // The web service of the node of the page.
  await sandbox.safekit('node1', 'webserver', 'stop');
  await shell.banner().waitFor(PATIENCE);
  expect(await shell.banner().innerText()).toMatch(/The connection with node1 is lost since \d\d:\d\d:\d\d/);
  expect(await monitoring.cell('shop', 'node1').getAttribute('class')).toContain('old');
  await picture(page, 'loss-banner');
  // Meanwhile the node goes on: what changes is there when the page is back.
  await sandbox.safekit('node1', 'stop', '-m', 'shop');
  await sandbox.safekit('node1', 'waitstop', '-m', 'shop');
  await sandbox.safekit('node1', 'webserver', 'start');
  // Sessions end with the service: the page asks for the password, and is there again.
  await new LoginPage(page).password().waitFor(PATIENCE);
  await page.getByText('Your session has ended').waitFor();
  await picture(page, 'loss-login');
  await new LoginPage(page).fill('admin', PASSWORD);
  await reached('node1', 'STOP');
  expect(await shell.banner().count()).toBe(0);
  await reached('node2', 'ALONE');
  await sandbox.safekit('node1', 'start', '-m', 'shop');
  await reached('node1', 'SECOND');

  // The node where the application runs.
  await sandbox.poweroff('node2');
  await monitoring.cell('shop', 'node2').getByText(/No answer, last seen \d\d:\d\d:\d\d/).waitFor(PATIENCE);
  expect(await monitoring.cell('shop', 'node2').getAttribute('class')).toContain('grey old');
  await reached('node1', 'ALONE');
  await picture(page, 'loss-node');
  expect(await monitoring.nodeMenu('shop', 'node2')).toEqual(['Details']);
  await page.keyboard.press('Escape');
  await sandbox.poweron('node2');
  await monitoring.cell('shop', 'node2').getByText('No answer').waitFor({ state: 'detached' });
  await reached('node2', 'STOP');
  await monitoring.nodeMenu('shop', 'node2');
  await monitoring.choose('Start');
  await reached('node2', 'SECOND');
  await reached('node1', 'PRIM');
  await notReloaded();
});
