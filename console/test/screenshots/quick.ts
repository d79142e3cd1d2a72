import { test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { startMock } from '../mock/server';

const path = process.env['SHOT'] ?? '/console/en/monitoring';
test('quick', async () => {
  const mock = await startMock();
  const browser = await launch();
  for (const [width, scheme] of [[1280, 'light'], [390, 'dark']] as const) {
    const { page, errors } = await openPage(browser, mock.url, { width, scheme });
    await page.goto(path);
    await page.waitForTimeout(300);
    await page.screenshot({ path: `/tmp/shots/login-${width}-${scheme}.png` });
    await new LoginPage(page).login('admin', 'pwd', path);
    await page.waitForTimeout(1200);
    if (process.env['CLICK']) { await page.locator(process.env['CLICK']).first().click(); await page.waitForTimeout(500); }
    await page.screenshot({ path: `/tmp/shots/page-${width}-${scheme}.png`, fullPage: true });
    console.log(errors);
  }
  await browser.close();
  await mock.close();
});
