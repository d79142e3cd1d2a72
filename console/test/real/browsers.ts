// The sandboxes of a file of tests, and the browsers of their users.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { launch, openPage, type Look } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { PASSWORD, PATIENCE, Sandbox } from './sandbox';

export interface Visit extends Look {
  /** The node that serves the page; node1 otherwise. */
  node?: string;
  user?: string;
  /** The page that is asked for. */
  address?: string;
}

/** Opens a browser of its own for each user. Pages that log errors fail their test. */
export function browsers(): (sandbox: Sandbox, visit?: Visit) => Promise<Page> {
  let browser: Browser;
  let opened: { context: BrowserContext; errors: string[] }[] = [];
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    const all = opened;
    opened = [];
    for (const { context } of all) await context.close();
    expect(all.flatMap(({ errors }) => errors)).toEqual([]);
  });
  return async (sandbox, { node = 'node1', user = 'admin', address, ...look } = {}) => {
    const one = await openPage(browser, sandbox.url(node), look);
    opened.push(one);
    one.page.setDefaultTimeout(PATIENCE.timeout);
    await new LoginPage(one.page).login(user, PASSWORD, address);
    return one.page;
  };
}

/** Brings sandboxes up, which go down after the tests of the file. */
export function sandboxes(): (...args: Parameters<typeof Sandbox.up>) => Promise<Sandbox> {
  const all: Sandbox[] = [];
  afterAll(async () => {
    await Promise.all(all.map((sandbox) => sandbox.down()));
  });
  return async (...args) => {
    const sandbox = await Sandbox.up(...args);
    all.push(sandbox);
    return sandbox;
  };
}
