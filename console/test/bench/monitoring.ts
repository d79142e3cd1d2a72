// How fast the monitoring page is with 32 modules on 4 nodes: until it is there, from a change to its
// pixels, and what it takes of a core while nothing changes. `npm run build` first; an idle machine.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { large } from '../mock/sample';
import { startMock, type MockServer } from '../mock/server';

const [MODULES, NODES, CHANGES, IDLE_S] = [32, 4, 50, 20];

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function loadMs(page: Page): Promise<number> {
  await page.goto('/console/en/monitoring');
  await page.waitForFunction((n) => document.querySelectorAll('.matrix .cell').length === n, MODULES * NODES);
  return page.evaluate(() => performance.now());
}

/** From the change in the server to the frame that shows it. */
async function changeMs(page: Page, mock: MockServer, i: number): Promise<number> {
  const node = mock.api.cluster.node(`node${1 + (i % NODES)}`);
  const module = node.modules.get(`module${1 + (i % MODULES)}`)!;
  const percent = 30 + i;
  const seen = page.evaluate(
    ([id, text]) =>
      new Promise<number>((resolve) => {
        const look = () => {
          if (document.querySelector(`[data-testid="${id}"] .share strong`)?.textContent === text) resolve(performance.timeOrigin + performance.now());
          else requestAnimationFrame(look);
        };
        look();
      }),
    [`cell-${module.module}-${node.name}`, `${percent} %`] as const,
  );
  // The page looks at its frames before the change.
  await page.evaluate(() => new Promise(requestAnimationFrame));
  const at = performance.timeOrigin + performance.now();
  module.shares[0]!.percent = percent;
  mock.api.cluster.changed(node);
  return (await seen) - at;
}

/** Seconds of a core that the page has taken, whatever else the machine does. */
async function meter(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
  await session.send('Performance.enable');
  return async () => (await session.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration')!.value;
}

test(`${MODULES} modules on ${NODES} nodes`, async () => {
  const mock = await startMock();
  mock.api.use(large(MODULES, NODES));
  const browser = await launch();
  const { page } = await openPage(browser, mock.url);
  await new LoginPage(page).login('admin', 'pwd');
  const loads: number[] = [];
  for (let i = 0; i < 5; i++) loads.push(await loadMs(page));
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) changes.push(await changeMs(page, mock, i));
  const busy = await meter(page);
  const before = await busy();
  await loadMs(page);
  const loaded = await busy();
  await page.waitForTimeout(IDLE_S * 1000);
  const [work, part] = [loaded - before, ((await busy()) - loaded) / IDLE_S];
  const ms = (n: number) => `${n.toFixed(0)} ms`;
  console.log(`load ${ms(median(loads))} (limit 1000 ms; ${ms(1000 * work)} of work), change to pixel ${ms(median(changes))} (limit 200 ms), idle ${(100 * part).toFixed(2)} % of a core (limit 5 %)`);
  await browser.close();
  await mock.close();
  expect(median(loads)).toBeLessThan(1000);
  expect(median(changes)).toBeLessThan(200);
  expect(part).toBeLessThan(0.05);
});
