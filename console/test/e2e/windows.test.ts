// Several windows of one browser: they share six connections to a node.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { DetailsPage } from './pages/details';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

const LOGS = '/console/en/monitoring/modules/postgresql/nodes/node1/logs';
const GENEROUS = { timeout: 40_000 };

function say(text: string): void {
  const node = w.mock.api.cluster.node('node1');
  w.mock.api.cluster.say(node, node.modules.get('postgresql')!, 'heart', 'E', text);
}

/** Another window on the logs. */
async function another(): Promise<Page> {
  const page = await w.page.context().newPage();
  await page.goto(LOGS);
  return page;
}

test('a command is given with three windows on logs, which all go on', async () => {
  await w.login('operator', LOGS);
  const pages = [w.page, await another(), await another()];
  for (const page of pages) await new DetailsPage(page).lines().first().waitFor(GENEROUS);
  await w.page.bringToFront();
  await w.page.getByRole('button', { name: 'Actions on postgresql of node1' }).click();
  await w.page.locator('.popup').getByText('Suspend the checkers', { exact: true }).click();
  const shell = new Shell(w.page);
  await shell.confirm();
  await shell.activity().getByText('Done').waitFor(GENEROUS);
  say('said to all');
  for (const page of pages) await new DetailsPage(page).line('said to all').waitFor(GENEROUS);
});

test('a window that nobody sees holds no connection', async () => {
  await w.login('observer', LOGS);
  await w.page.locator('.toolbar .pill.live').waitFor();
  expect(w.mock.api.streams()).toBe(2);
  const see = (state: string) =>
    w.page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { get: () => state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  await see('hidden');
  await expect.poll(() => w.mock.api.streams(), GENEROUS).toBe(0);
  say('said to nobody');
  await see('visible');
  await new DetailsPage(w.page).line('said to nobody').waitFor();
});
