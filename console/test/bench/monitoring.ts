// How fast the monitoring page is with 32 modules on 4 nodes: until it is there, from a change to its
// pixels, and what it takes of a core while nothing changes. `npm run build` first; an idle machine.
// BEFORE=directory measures another build too, in turn with this one.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { large } from '../mock/sample';
import { startMock, type MockServer } from '../mock/server';

const [MODULES, NODES, LOADS, CHANGES, IDLE_S] = [32, 4, 9, 50, 20];
const BEFORE = process.env['BEFORE'];

/** A build of the console, served to a browser of its own. */
interface World {
  name: string;
  mock: MockServer;
  browser: Browser;
  context: BrowserContext;
  loads: Load[];
}

/** Opening the page: milliseconds until it is there, and of work of its thread. */
interface Load {
  wall: number;
  work: number;
  script: number;
  layout: number;
  requests: number;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const ms = (n: number): string => `${n.toFixed(0)} ms`;

async function open(name: string, dist?: string): Promise<World> {
  const mock = await startMock(dist);
  mock.api.use(large(MODULES, NODES));
  const browser = await launch();
  const { page, context } = await openPage(browser, mock.url);
  await new LoginPage(page).login('admin', 'pwd');
  await page.close();
  return { name, mock, browser, context, loads: [] };
}

async function load(page: Page): Promise<number> {
  await page.goto('/console/en/monitoring');
  await page.waitForFunction((n) => document.querySelectorAll('.matrix .cell').length === n, MODULES * NODES);
  return page.evaluate(() => performance.now());
}

/** An event of a trace; times in microseconds, `tdur` of the thread's own. */
interface Traced {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
}

/** What Chromium does while something happens. */
async function traced(browser: Browser, act: () => Promise<void>): Promise<Traced[]> {
  const session = await browser.newBrowserCDPSession();
  const events: Traced[] = [];
  session.on('Tracing.dataCollected', ({ value }) => void events.push(...(value as unknown as Traced[])));
  const complete = new Promise((resolve) => session.on('Tracing.tracingComplete', resolve));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'v8', 'toplevel'] } });
  await act();
  await session.send('Tracing.end');
  await complete;
  await session.detach();
  return events;
}

/** Milliseconds of thread time of the page's own thread: what other programs take of the core is not in it. */
function workOf(events: Traced[]): Pick<Load, 'work' | 'script' | 'layout'> {
  const page = events.find((e) => e.name === 'v8.evaluateModule')!;
  const own = events.filter((e) => e.ph === 'X' && e.pid === page.pid && e.tid === page.tid).sort((a, b) => a.ts - b.ts || b.dur! - a.dur!);
  // Of nested ones the outer only.
  const sum = (names: string[] | null): number => {
    let [total, end] = [0, 0];
    for (const event of own.filter((e) => names === null || names.includes(e.name))) {
      if (event.ts < end) continue;
      total += (event.tdur ?? 0) / 1000;
      end = event.ts + event.dur!;
    }
    return total;
  };
  return {
    work: sum(null),
    script: sum(['EvaluateScript', 'v8.evaluateModule', 'v8.callFunction', 'FunctionCall', 'RunMicrotasks', 'BlinkScheduler_PerformMicrotaskCheckpoint', 'v8.compileModule']),
    layout: sum(['UpdateLayoutTree', 'Layout', 'PrePaint', 'Paint', 'Layerize']),
  };
}

async function measureLoad({ browser, context, loads }: World): Promise<void> {
  const page = await context.newPage();
  let [wall, requests] = [0, 0];
  const events = await traced(browser, async () => {
    wall = await load(page);
    requests = await page.evaluate(() => performance.getEntriesByType('resource').filter((r) => r.name.includes('/api/')).length);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
  });
  loads.push({ wall, requests, ...workOf(events) });
  await page.close();
}

/** Thread time of the page, in seconds, from when it is there. */
async function meter(page: Page): Promise<() => Promise<Record<string, number>>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
  await session.send('Performance.enable');
  return async () => Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value]));
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

/** Changes, then nothing: milliseconds to the pixels, milliseconds of work for each, part of a core while idle. */
async function measureChanges({ context, mock }: World): Promise<{ change: number; work: number; idle: number }> {
  const page = await context.newPage();
  await load(page);
  const metrics = await meter(page);
  const begin = (await metrics())['TaskDuration']!;
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) changes.push(await changeMs(page, mock, i));
  const changed = (await metrics())['TaskDuration']!;
  await page.waitForTimeout(IDLE_S * 1000);
  const idle = ((await metrics())['TaskDuration']! - changed) / IDLE_S;
  await page.close();
  return { change: median(changes), work: (1000 * (changed - begin)) / CHANGES, idle };
}

test(`${MODULES} modules on ${NODES} nodes`, async () => {
  const worlds = [...(BEFORE ? [await open('before', BEFORE)] : []), await open('now')];
  for (let i = 0; i < LOADS; i++) for (const world of worlds) await measureLoad(world);
  for (const world of worlds) {
    const of = (what: keyof Load): number => median(world.loads.map((l) => l[what]));
    const { change, work, idle } = await measureChanges(world);
    console.log(
      `${world.name}: load ${ms(of('wall'))} (limit 1000 ms; ${ms(of('work'))} of work: script ${ms(of('script'))}, layout ${ms(of('layout'))}; ${of('requests')} requests), ` +
        `change to pixel ${ms(change)} (limit 200 ms; ${work.toFixed(1)} ms of work), idle ${(100 * idle).toFixed(2)} % of a core (limit 5 %)`,
    );
    await world.browser.close();
    await world.mock.close();
    if (world.name === 'before') continue;
    expect(of('wall')).toBeLessThan(1000);
    expect(change).toBeLessThan(200);
    expect(idle).toBeLessThan(0.05);
  }
});
