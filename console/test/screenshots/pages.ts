// Pictures of every page for docs/images: two widths, two themes. SAFEKIT_URL (with SAFEKIT_USER and
// SAFEKIT_PASSWORD) takes them from a running cluster instead of the mock; SHOTS=name,name only these.

import type { Browser, Page } from 'playwright-core';
import { test } from 'vitest';
import type { NodeEvent } from '../../src/api/types';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { startMock, type MockServer } from '../mock/server';
import { LOOKS, take, wanted, type Look } from '../e2e/picture';

const USER = process.env['SAFEKIT_USER'] ?? 'admin';
const PASSWORD = process.env['SAFEKIT_PASSWORD'] ?? 'pwd';

interface Shot {
  name: string;
  path: string;
  /** What is done before the picture is taken. */
  act?: (page: Page) => Promise<void>;
  /** Only what a screen shows, e.g. under a dialog. */
  window?: boolean;
}

/** Where what is in the pictures: a module of each kind that there is. */
interface Places {
  mirror: string | undefined;
  moving: string | undefined;
  farm: string | undefined;
  waiting: string | undefined;
}

async function places(page: Page): Promise<Places> {
  const events = await page.evaluate(async () => {
    const nodes: { node: string }[] = await (await fetch('/api/v1/nodes')).json();
    const read = (n: string) => fetch(`/api/v1/nodes/${n}/overview`).then(async (r) => ({ node: n, overview: await r.json() }));
    return Promise.all(nodes.map((n) => read(n.node)));
  });
  const all = (events as NodeEvent[]).flatMap((e) => (e.overview?.modules ?? []).map((m) => ({ ...m, at: `${m.module}/nodes/${e.node}` })));
  return {
    mirror: all.find((m) => m.mode === 'mirror' && m.role === 'PRIM')?.at ?? all.find((m) => m.mode === 'mirror')?.at,
    moving: all.find((m) => m.progress)?.at,
    farm: all.find((m) => m.mode === 'farm')?.at,
    waiting: all.find((m) => m.role === 'WAIT')?.at,
  };
}

const click = (selector: string) => (page: Page) => page.locator(selector).first().click();

function shots(at: Places): Shot[] {
  const of = (where: string, tab: string) => `/console/en/monitoring/modules/${where}/${tab}`;
  const list: Shot[] = [
    { name: 'monitoring', path: '/console/en/monitoring' },
    { name: 'help', path: '/console/en/monitoring', act: click('.page-title .icon-button'), window: true },
    { name: 'commands', path: '/console/en/monitoring/commands' },
    { name: 'access', path: '/console/en/access' },
    { name: 'french', path: '/console/fr/monitoring' },
  ];
  if (at.mirror) {
    const cell = `[data-testid="cell-${at.mirror.replace('/nodes/', '-')}"]`;
    list.push(
      { name: 'menu', path: '/console/en/monitoring', act: click(`${cell} .menu button`), window: true },
      {
        name: 'confirm',
        path: '/console/en/monitoring',
        act: async (page) => {
          await click(`${cell} .menu button`)(page);
          await page.locator('.popup-item', { hasText: 'Swap the roles' }).click();
        },
        window: true,
      },
      { name: 'log', path: of(at.mirror, 'logs'), act: click('.log tbody tr.level-S') },
      { name: 'resources', path: of(at.mirror, 'resources?group=checkers'), act: click('.resources tbody tr') },
      { name: 'rescue', path: of(at.mirror, 'rescue') },
    );
  }
  if (at.moving ?? at.mirror) list.push({ name: 'replication', path: of((at.moving ?? at.mirror)!, 'replication') });
  if (at.farm) list.push({ name: 'information', path: of(at.farm, 'information') });
  if (at.waiting) list.push({ name: 'explain', path: of(at.waiting, 'explain') });
  return list.filter((s) => wanted(s.name));
}

/** A day of work in the command log, and HTTPS. */
function dress(mock: MockServer): void {
  const { cluster, settings } = mock.api;
  settings.https = true;
  const commands: [node: string, user: string, text: string, code: number, minutesAgo: number, seconds: number][] = [
    ['node1', 'admin@10.0.0.5', 'config -m postgresql', 0, 214, 3],
    ['node2', 'admin@10.0.0.5', 'config -m postgresql', 0, 214, 4],
    ['node1', 'admin@10.0.0.5', 'prim -m postgresql', 0, 190, 5],
    ['node2', 'admin@10.0.0.5', 'second -m postgresql', 0, 189, 2],
    ['node3', 'operator@10.0.0.17', 'restart -m web', 0, 74, 9],
    ['node2', 'operator@10.0.0.17', 'swap -m files', 1, 61, 0],
    ['node1', 'operator@10.0.0.17', 'swap -m postgresql', 0, 40, 7],
    ['node2', 'operator@10.0.0.17', 'swap -m postgresql', 0, 32, 6],
    ['node3', 'admin@10.0.0.5', 'start -m files', 0, 1, 1],
  ];
  for (const node of cluster.nodes.values()) node.commands.length = 0;
  for (const [node, user, text, code, minutes, seconds] of commands) {
    cluster.command(cluster.node(node), user, text, code, Date.now() - minutes * 60_000, seconds * 1000);
  }
}

async function series(browser: Browser, url: string, look: Look): Promise<void> {
  const { page, context } = await openPage(browser, url, look);
  await page.emulateMedia({ colorScheme: look.scheme, reducedMotion: 'reduce' });
  const suffix = look.name;
  await page.goto('/console/en/monitoring');
  if (wanted('login')) {
    await page.locator('form').waitFor();
    await take(page, `login-${suffix}`, true);
  }
  await new LoginPage(page).login(USER, PASSWORD);
  await page.locator('.matrix .cell').first().waitFor();
  for (const shot of shots(await places(page))) {
    await page.goto(shot.path);
    await page.locator('h1').waitFor();
    await page.locator('.spinner').first().waitFor({ state: 'detached' });
    await page.waitForTimeout(500);
    await shot.act?.(page);
    await page.waitForTimeout(400);
    await take(page, `${shot.name}-${suffix}`, shot.window ?? false);
  }
  await context.close();
}

test.each(LOOKS)('$name', async (look) => {
  const real = process.env['SAFEKIT_URL'];
  const mock = real ? null : await startMock();
  if (mock) dress(mock);
  const browser = await launch();
  await series(browser, real ?? mock!.url, look);
  await browser.close();
  await mock?.close();
});
