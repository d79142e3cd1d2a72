// How pictures are taken for docs/images.

import { spawnSync } from 'node:child_process';
import type { Page } from 'playwright-core';

const OUT = new URL('../../../docs/images/', import.meta.url).pathname;

/** A width and a theme. */
export interface Look {
  name: string;
  width: number;
  height: number;
  scheme: 'light' | 'dark';
}

/** LOOK=1280-light only so. */
export const LOOKS: Look[] = ([
  { name: '1280-light', width: 1280, height: 800, scheme: 'light' },
  { name: '1280-dark', width: 1280, height: 800, scheme: 'dark' },
  { name: '390-light', width: 390, height: 800, scheme: 'light' },
  { name: '390-dark', width: 390, height: 800, scheme: 'dark' },
] satisfies Look[]).filter((look) => !process.env['LOOK'] || look.name === process.env['LOOK']);

const ONLY = process.env['SHOTS']?.split(',');

/** SHOTS=name,name only these. */
export const wanted = (name: string): boolean => !ONLY || ONLY.includes(name);

/** Takes a picture, as high as the page; `window`: only what a screen shows, e.g. under a dialog. */
export async function take(page: Page, name: string, window = false): Promise<void> {
  const size = page.viewportSize()!;
  // What sticks to the edge of the window would lie over the middle of the picture. Editors grow with the window.
  for (let i = 0; i < 3 && !window; i++) {
    const whole = await page.evaluate(() => document.documentElement.scrollHeight);
    if (whole <= page.viewportSize()!.height) break;
    await page.setViewportSize({ width: size.width, height: Math.min(whole, 4000) });
    await page.waitForTimeout(100);
  }
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(350);
  const path = `${OUT}console-${name}.png`;
  await page.screenshot({ path });
  // Smaller by a palette, where the tool is installed.
  // Without dithering, but for the gradients of the login page.
  const dither = name.startsWith('login') || name.startsWith('session') ? [] : ['--nofs'];
  spawnSync('pngquant', ['--force', '--skip-if-larger', ...dither, '--speed', '1', '--quality', '60-85', '--ext', '.png', path]);
  await page.setViewportSize(size);
}
