// Pictures of the configuration pages for docs/images: two widths, two themes.

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { startMock, type MockServer } from '../mock/server';
import { production } from '../mock/sample';
import { configurationOf, filesOf, fresh } from '../mock/state';
import { LOOKS, take, wanted } from '../e2e/picture';

type Shot = [name: string, address: string, prepare?: (page: Page, mock: MockServer) => Promise<void>];

const stopped = (mock: MockServer) => {
  for (const name of ['node1', 'node2']) {
    const node = mock.api.cluster.node(name);
    mock.api.cluster.state(node, node.modules.get('postgresql')!, 'STOP', 'NotReady');
  }
};

const SHOTS: Shot[] = [
  ['cluster-home', '/configuration/cluster', async (page, mock) => {
    configurationOf(mock.api.cluster).applied.set('node3', { signature: 'deadbeef00112233445566778899aabb', date: '2026-02-11T18:02:00' });
    await page.reload();
    await page.locator('.node-line summary').first().click();
  }],
  ['cluster-wizard', '/configuration/cluster/config', async (page) => {
    await page.locator('.reach.good').first().waitFor();
    await page.locator('.reach.bad').first().waitFor();
  }],
  ['cluster-xml', '/configuration/cluster/config', async (page) => {
    await page.getByRole('radio', { name: 'Advanced configuration' }).click();
    await page.locator('.cm-content').waitFor();
    await page.locator('.cm-line', { hasText: '10.0.0.108' }).first().click();
    // Twice: on a phone the line is wrapped.
    for (const key of ['End', 'End', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
    await page.keyboard.type('.9');
    await page.locator('.faults li').first().waitFor();
  }],
  ['modules-home', '/configuration/modules', async (_page, mock) => {
    const module = mock.api.cluster.node('node1').modules.get('web')!;
    module.current = { signature: 'ff', date: module.current.date + 9000 };
    mock.api.cluster.changed(mock.api.cluster.node('node1'));
  }],
  ['new-module', '/configuration/modules/new', (page) => page.locator('.choice').first().click()],
  ['module-edit', '/configuration/modules/postgresql/config'],
  ['module-edit-farm', '/configuration/modules/web/config'],
  ['module-xml', '/configuration/modules/postgresql/config', async (page) => {
    await page.getByRole('radio', { name: 'Advanced configuration' }).click();
    await page.locator('.cm-content').waitFor();
  }],
  ['module-scripts', '/configuration/modules/postgresql/config?step=scripts', (page) => page.locator('.cm-content').waitFor()],
  ['module-encryption', '/configuration/modules/postgresql/config?step=encryption'],
  ['module-apply', '/configuration/modules/postgresql/config?step=apply', async (_page, mock) => {
    const node = mock.api.cluster.node('node1');
    mock.api.cluster.state(node, node.modules.get('postgresql')!, 'STOP', 'NotReady');
  }],
  ['module-result', '/configuration/modules/postgresql/config?step=apply', async (page, mock) => {
    stopped(mock);
    configurationOf(mock.api.cluster).failing.set('node2', 'userconfig.xml:31: <replicated> dir="/test1replicated": there is no such directory: make it, or write another one');
    await page.getByRole('button', { name: 'Save and apply' }).click();
    await page.locator('.run.bad').waitFor();
  }],
  ['module-conflict', '/configuration/modules/postgresql/config', async (page, mock) => {
    stopped(mock);
    await page.getByLabel('Failure detected after').fill('10s');
    const node = mock.api.cluster.node('node1');
    const files = filesOf(mock.api.cluster, node.modules.get('postgresql')!);
    configurationOf(mock.api.cluster).files.set('postgresql', files.map((file) => ({ ...file, text: file.text!.replace('maxloop="3"', 'maxloop="9"') })));
    await page.getByRole('navigation', { name: 'Steps' }).getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('button', { name: 'Save and apply' }).click();
    await page.getByRole('dialog').waitFor();
  }],
];

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

for (const look of LOOKS) {
  test(`configuration ${look.name}`, async () => {
    const mock = await startMock();
    const { context, page } = await openPage(browser, mock.url, look);
    await new LoginPage(page).login('admin', 'pwd');
    for (const [name, address, prepare] of SHOTS) {
      if (!wanted(name)) continue;
      mock.api.use(production());
      await page.goto(`/console/en${address}`);
      await page.locator('#content h1, #content .empty').first().waitFor();
      await page.waitForTimeout(500);
      await prepare?.(page, mock);
      await take(page, `${name}-${look.name}`);
    }
    if (wanted('cluster-first')) {
      mock.api.use(fresh());
      await page.goto('/console/en/configuration/cluster');
      await page.locator('.lan-card').waitFor();
      await take(page, `cluster-first-${look.name}`);
    }
    await context.close();
    await mock.close();
  });
}
