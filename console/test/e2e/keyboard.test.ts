import { expect, test } from 'vitest';
import { LoginPage } from './pages/login';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

const press = async (...keys: string[]): Promise<void> => {
  for (const key of keys) await w.page.keyboard.press(key);
};

/** Name of what has the focus: its label, or its text. */
const focused = (): Promise<string> =>
  w.page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');

/** Presses Tab until this has the focus. */
async function tabTo(name: RegExp, most = 60): Promise<void> {
  for (let i = 0; i < most; i++) {
    if (name.test(await focused())) return;
    await press('Tab');
  }
  throw new Error(`${name} is not reached by Tab; the focus is on "${await focused()}"`);
}

test('a login, a swap and a way to the details need no pointer', async () => {
  await w.page.goto('/console/en/monitoring');
  await new LoginPage(w.page).password().waitFor();
  await w.page.keyboard.type('pwd');
  await press('Enter');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.cell('postgresql', 'node1').waitFor();
  await tabTo(/^Actions on postgresql of node1$/);
  await press('Enter');
  await page.popup().waitFor();
  expect(await focused()).toBe('Stop');
  await w.page.keyboard.type('sw');
  expect(await focused()).toBe('Swap the roles');
  await press('Enter');
  await shell.dialog().waitFor();
  await expect.poll(focused).toBe('Cancel');
  await press('Tab');
  expect(await focused()).toBe('Swap the roles');
  await press('Enter');
  await page.state('postgresql', 'node2').getByText('PRIM').waitFor();
  await tabTo(/^files on node2: /);
  await press('Enter');
  await w.page.getByRole('heading', { name: 'files on node2' }).waitFor();
});

test('a dialog keeps the focus and gives it back', async () => {
  await w.login('admin');
  const [page, shell] = [new MonitoringPage(w.page), new Shell(w.page)];
  await page.cell('web', 'node2').getByRole('button').focus();
  await press('ArrowDown', 'Enter');
  await shell.dialog().waitFor();
  const inside = () => w.page.evaluate(() => document.activeElement === document.body || document.querySelector('dialog')!.contains(document.activeElement));
  for (let i = 0; i < 6; i++) {
    await press('Tab');
    expect(await inside(), await focused()).toBe(true);
  }
  await press('Escape');
  await shell.dialog().waitFor({ state: 'detached' });
  await expect.poll(focused).toBe('Actions on web of node2');
});

test('a menu gives the focus back, and lets Tab go on', async () => {
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  await page.cell('web', 'node1').getByRole('button').focus();
  await press('Enter', 'Escape');
  expect(await focused()).toBe('Actions on web of node1');
  await press('Enter', 'Tab');
  await page.popup().waitFor({ state: 'detached' });
});

test('a menu under a pointer has no item chosen until one is pointed at', async () => {
  await w.login('admin');
  const page = new MonitoringPage(w.page);
  await page.nodeMenu('web', 'node1');
  expect(await w.page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('menu');
  await page.popup().getByText('Stop and start').hover();
  expect(await focused()).toBe('Stop and start');
  await press('ArrowDown');
  expect(await focused()).toBe('Force stop');
});

test('the first Tab skips to the content', async () => {
  await w.login('admin');
  await w.page.reload();
  await new MonitoringPage(w.page).cell('web', 'node1').waitFor();
  await press('Tab');
  expect(await focused()).toBe('Skip to the content');
  await press('Enter');
  expect(await w.page.evaluate(() => document.activeElement?.id)).toBe('content');
});

test('the navigation of a phone is closed by Escape, and the focus is where it was', async () => {
  await w.page.setViewportSize({ width: 390, height: 800 });
  await w.login('admin');
  const open = w.page.getByRole('button', { name: 'Open the navigation' });
  await open.focus();
  await press('Enter');
  await w.page.locator('.drawer-open .sidebar a:focus').waitFor();
  await press('Escape');
  await w.page.locator('.drawer-open').waitFor({ state: 'detached' });
  await expect.poll(focused).toBe('Open the navigation');
});

const PAGES = [
  '/console/en/monitoring',
  '/console/en/monitoring/modules/postgresql/nodes/node1/logs',
  '/console/en/monitoring/modules/web/nodes/node1/information',
  '/console/en/monitoring/commands',
  '/console/en/access',
  '/console/en/configuration/cluster',
  '/console/en/configuration/cluster/config',
  '/console/en/configuration/modules',
  '/console/en/configuration/modules/new',
  '/console/en/configuration/modules/web/config',
];

/** What shows the focus: an outline or a shadow, of the element or of what lies over it. */
const shown = (): Promise<boolean> =>
  w.page.evaluate(() => {
    const has = (style: CSSStyleDeclaration) => (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || (style.boxShadow !== 'none' && style.boxShadow !== '');
    const element = document.activeElement!;
    if (element === document.body) return true;
    return [getComputedStyle(element), getComputedStyle(element, '::after')].some(has) || element.closest('.code-editor') !== null;
  });

test('whatever has the focus shows it', async () => {
  await w.login('admin');
  for (const path of PAGES) {
    await w.page.goto(path);
    await w.page.locator('h1').waitFor();
    await w.page.locator('.spinner').first().waitFor({ state: 'detached' });
    for (let i = 0; i < 30; i++) {
      await press('Tab');
      expect(await shown(), `${path}: ${await focused()}`).toBe(true);
    }
  }
});
