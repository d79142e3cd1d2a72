// PICTURES=directory keeps a picture of each page on the way, as on a desk and as on a phone.

import type { Page } from 'playwright-core';

const DIRECTORY = process.env['PICTURES'];

export async function picture(page: Page, name: string): Promise<void> {
  if (!DIRECTORY) return;
  const size = page.viewportSize()!;
  const take = (width: number) => page.screenshot({ path: `${DIRECTORY}/${name}-${width}.png`, animations: 'disabled' });
  // An open menu closes when the window changes.
  if ((await page.locator('.popup').count()) > 0) return void (await take(size.width));
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: size.height });
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width, height: Math.min(height, 3000) });
    await take(width);
  }
  await page.setViewportSize(size);
}
