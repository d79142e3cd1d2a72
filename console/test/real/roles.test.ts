// W-11a on real nodes: what the roles of group.conf show, and what the servers refuse whatever is shown.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { MonitoringPage } from '../e2e/pages/monitoring';
import { Shell } from '../e2e/pages/shell';
import { browsers, sandboxes } from './browsers';
import { install } from './module';
import { picture } from './pictures';
import type { Sandbox } from './sandbox';

const up = sandboxes();
const open = browsers();

const GROUPS = 'Admin : admin\nControl : manager\nMonitor : operator1 operator2\n';
/** All have the password of admin; both nodes are asked for each user. */
const USERS = `cd "$SAFE/web/conf" && hash=$(sed -n s/^admin://p user.conf) && cat >group.conf &&
for user in manager operator1 operator2; do echo "$user:$hash"; done >>user.conf && chmod 440 group.conf && chown safekit: group.conf &&
safekit webserver restart`;

/** Status of the answer to a request of the page, which holds everything that the console sends. */
function ask(page: Page, method: string, path: string, body?: unknown): Promise<number> {
  return page.evaluate(async ([verb, where, json]) => {
    const { csrf } = await (await fetch('/api/v1/session')).json();
    const headers = { 'X-SafeKit-CSRF': csrf, 'Content-Type': 'application/json' };
    return (await fetch(`/api/v1${where}`, { method: verb, headers, ...(json ? { body: json } : {}) })).status;
  }, [method, path, body === undefined ? '' : JSON.stringify(body)] as const);
}

async function noConfiguration(page: Page): Promise<void> {
  expect(await page.locator('.sidebar').getByText('Configuration').count()).toBe(0);
  expect([await ask(page, 'GET', '/cluster'), await ask(page, 'GET', '/modules/shop/files'), await ask(page, 'DELETE', '/modules/shop')]).toEqual([403, 403, 403]);
  expect(await ask(page, 'POST', '/nodes/node2/modules/shop/config')).toBe(403);
  for (const address of ['cluster', 'modules', 'modules/shop/config']) {
    await page.goto(`/console/en/configuration/${address}`);
    await page.getByText('Your role does not open this page').waitFor();
  }
  await picture(page, `roles-refused`);
  await page.goto('/console/en/monitoring');
}

const said = (sandbox: Sandbox) => sandbox.log('shop', 'node1');

test('W-11a: Monitor sees and does nothing, Control has no configuration, Admin has all', async () => {
  const sandbox = await up('roles');
  await install(sandbox, 'shop');
  for (const node of ['node1', 'node2']) await sandbox.sh(node, USERS, GROUPS);

  const observer = await open(sandbox, { user: 'operator1' });
  let monitoring = new MonitoringPage(observer);
  expect(await monitoring.nodeMenu('shop', 'node1')).toEqual(['Details', 'Download the log', 'Download the verbose log']);
  await picture(observer, 'roles-observer');
  await observer.keyboard.press('Escape');
  expect(await monitoring.moduleMenu('shop')).toEqual(['Download the logs of all nodes', 'Download the verbose logs of all nodes']);
  await observer.keyboard.press('Escape');
  const before = await said(sandbox);
  for (const path of ['/modules/shop/commands', '/nodes/node2/modules/shop/commands']) {
    expect(await ask(observer, 'POST', path, { command: 'prim' })).toBe(403);
  }
  await noConfiguration(observer);
  expect(await said(sandbox)).toBe(before);

  const operator = await open(sandbox, { user: 'manager' });
  monitoring = new MonitoringPage(operator);
  await noConfiguration(operator);
  expect(await monitoring.nodeMenu('shop', 'node1')).toContain('Force start as primary');
  await picture(operator, 'roles-operator');
  await monitoring.choose('Force start as primary');
  await new Shell(operator).confirm();
  await monitoring.state('shop', 'node1').filter({ hasText: /ALONE\s*Ready/ }).waitFor();
  expect(await said(sandbox)).toContain('Action prim called by manager@127.0.0.1');
  // It is shown to the one who only looks.
  await new MonitoringPage(observer).state('shop', 'node1').filter({ hasText: /ALONE\s*Ready/ }).waitFor();

  const administrator = await open(sandbox, { user: 'admin', address: '/console/en/configuration/cluster' });
  await administrator.getByRole('heading', { name: 'Cluster', level: 1 }).waitFor();
  await administrator.locator('.node-line').nth(1).waitFor();
  expect(await administrator.locator('.sidebar').getByText('Configuration').count()).toBe(1);
  await picture(administrator, 'roles-administrator');
  expect(await ask(administrator, 'GET', '/cluster')).toBe(200);
});
