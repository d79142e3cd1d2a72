// One browser for a file of tests, a fresh mock and a fresh page for each test.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { startMock, type MockServer } from '../mock/server';
import { launch, openPage, type Look } from './browser';
import { LoginPage } from './pages/login';

export interface World {
  page: Page;
  mock: MockServer;
  login: (user: string, address?: string) => Promise<void>;
}

/** The world of each test of a file; pages that log errors fail their test. */
export function world(look: Look = {}): World {
  let browser: Browser;
  let context: BrowserContext;
  let errors: string[] = [];
  const world = {} as World;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    world.mock = await startMock();
    const opened = await openPage(browser, world.mock.url, look);
    ({ context, errors } = opened);
    world.page = opened.page;
    world.login = (user, address) => new LoginPage(world.page).login(user, 'pwd', address);
  });
  afterEach(async () => {
    await context.close();
    await world.mock.close();
    expect(errors).toEqual([]);
  });
  return world;
}
