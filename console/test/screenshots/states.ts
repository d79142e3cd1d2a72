// Pictures of what an administrator sees when something is wrong or under way: wide and light, narrow and dark.

import type { Page } from 'playwright-core';
import { test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { MonitoringPage } from '../e2e/pages/monitoring';
import { MockCluster } from '../mock/cluster';
import { production } from '../mock/sample';
import { startMock, type MockServer } from '../mock/server';
import { LOOKS, take, wanted } from '../e2e/picture';

interface State {
  name: string;
  user?: string;
  path?: string;
  /** Before the page is opened. */
  before?: (mock: MockServer) => void;
  /** On the page, before the picture. */
  act?: (page: Page, mock: MockServer) => Promise<void>;
  window?: boolean;
}

const MONITORING = '/console/en/monitoring';

/** Both nodes of a mirror stopped, or one of them alone. */
function pair(mock: MockServer, first: 'ALONE' | 'STOP', uptodate = true): void {
  for (const [name, role] of [['node1', first], ['node2', 'STOP']] as const) {
    const node = mock.api.cluster.node(name);
    const module = node.modules.get('postgresql')!;
    module.remote = null;
    if (name === 'node2') module.uptodate = uptodate;
    mock.api.cluster.state(node, module, role, role === 'STOP' ? 'NotReady' : 'Ready');
  }
}

const menu = async (page: Page, module: string, node: string): Promise<void> => {
  await new MonitoringPage(page).nodeMenu(module, node);
};

const STATES: State[] = [
  {
    name: 'lost-node',
    act: async (page, mock) => {
      const node = mock.api.cluster.node('node2');
      node.reachable = false;
      mock.api.cluster.changed(node);
      await page.locator('.cell', { hasText: 'No answer' }).first().waitFor();
    },
  },
  {
    name: 'lost-connection',
    act: async (page, mock) => {
      mock.api.die();
      await page.locator('.banner').waitFor();
    },
  },
  {
    name: 'session-ended',
    act: async (page, mock) => {
      await page.context().clearCookies();
      mock.api.drop();
      await page.locator('form').waitFor();
    },
  },
  { name: 'empty', before: (mock) => { mock.api.use(empty()); } },
  { name: 'observer', user: 'observer' },
  {
    name: 'menu-stopped',
    before: (mock) => pair(mock, 'STOP'),
    act: (page) => menu(page, 'postgresql', 'node2'),
    window: true,
  },
  {
    name: 'confirm-primary',
    before: (mock) => pair(mock, 'STOP', false),
    act: async (page) => {
      await menu(page, 'postgresql', 'node2');
      await new MonitoringPage(page).choose('Force start as primary, fullsync');
      await page.getByRole('dialog').waitFor();
    },
    window: true,
  },
  {
    name: 'confirm-secondary',
    before: (mock) => pair(mock, 'ALONE'),
    act: async (page) => {
      await menu(page, 'postgresql', 'node2');
      await new MonitoringPage(page).choose('Force start as secondary, fullsync');
      await page.getByRole('dialog').waitFor();
    },
    window: true,
  },
  {
    name: 'refused',
    act: async (page, mock) => {
      await menu(page, 'postgresql', 'node1');
      // Somebody else was faster.
      mock.api.cluster.node('node1').modules.get('postgresql')!.role = 'STOP';
      await new MonitoringPage(page).choose('Stop');
      await page.getByTestId('confirm').click();
      await page.getByTestId('activity').getByText('Failed').waitFor();
    },
    window: true,
  },
  {
    name: 'expiring',
    path: '/console/en/access',
    before: (mock) => {
      mock.api.settings.https = true;
      mock.api.settings.ending = 'node2';
    },
  },
  {
    name: 'token',
    path: '/console/en/access',
    act: async (page) => {
      await page.getByRole('button', { name: 'New token' }).click();
      await page.getByRole('dialog').getByRole('textbox').fill('monitoring-script');
    },
    window: true,
  },
  {
    name: 'owner',
    path: '/console/en/monitoring/modules/web/nodes/node1/information',
    act: async (page) => {
      await page.getByLabel('IP address of the client').fill('192.168.1.20');
      await page.getByRole('button', { name: 'Look up' }).click();
      await page.getByText('10.0.0.240').waitFor();
    },
  },
  {
    name: 'module-fault',
    path: '/console/en/configuration/modules/postgresql/config',
    act: async (page) => {
      await page.getByRole('radio', { name: 'Advanced configuration' }).click();
      await page.locator('.cm-content').waitFor();
      await page.locator('.cm-line', { hasText: 'timeout="30s"' }).first().click();
      // Twice: on a phone the line is wrapped.
      for (const key of ['End', 'End', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
      await page.keyboard.type(' minutes');
      await page.locator('.faults li').first().waitFor();
    },
  },
];

/** A cluster without a module. */
function empty(): MockCluster {
  const cluster = new MockCluster();
  cluster.add('node1', '10.0.0.107');
  cluster.add('node2', '10.0.0.108');
  return cluster;
}

test.each(LOOKS.filter((look) => look.name === '1280-light' || look.name === '390-dark'))('states $name', async (look) => {
  const browser = await launch();
  for (const state of STATES.filter((s) => wanted(s.name))) {
    const mock = await startMock();
    mock.api.use(production());
    state.before?.(mock);
    const { context, page } = await openPage(browser, mock.url, look);
    await page.emulateMedia({ colorScheme: look.scheme, reducedMotion: 'reduce' });
    await new LoginPage(page).login(state.user ?? 'admin', 'pwd', state.path ?? MONITORING);
    await page.locator('h1').waitFor();
    await page.locator('.spinner').first().waitFor({ state: 'detached' });
    await page.waitForTimeout(400);
    await state.act?.(page, mock);
    await page.waitForTimeout(400);
    await take(page, `${state.name}-${look.name}`, state.window ?? false);
    await context.close();
    await mock.close();
  }
  await browser.close();
});
