import { test } from 'vitest';
import { launch, openPage } from '../e2e/browser';
import { LoginPage } from '../e2e/pages/login';
import { startMock } from '../mock/server';

const paths = (process.env['SHOT'] ?? '/console/en/monitoring').split(' ');
const looks = (process.env['LOOKS'] ?? '1280-light,390-dark').split(',').map((l) => l.split('-')) as [string, 'light' | 'dark'][];
test('quick', async () => {
  const mock = await startMock();
  const browser = await launch();
  for (const [width, scheme] of looks) {
    const { page, errors } = await openPage(browser, mock.url, { width: Number(width), scheme });
    await new LoginPage(page).login('admin', 'pwd', paths[0]!);
    for (const [i, path] of paths.entries()) {
      await page.goto(path);
      await page.waitForTimeout(900);
      for (const sel of (process.env['CLICK'] ?? '').split('|').filter(Boolean)) { await page.locator(sel).first().click(); await page.waitForTimeout(700); }
      await page.screenshot({ path: `/tmp/shots/p${i}-${width}-${scheme}.png`, fullPage: true });
    }
    console.log(errors);
  }
  await browser.close();
  await mock.close();
});
