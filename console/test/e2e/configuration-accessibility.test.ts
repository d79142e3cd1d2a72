import { expect, test } from 'vitest';
import { configurationOf } from '../mock/state';
import { axeFaults } from './axe';
import { ModulesPage, WizardPage } from './pages/configuration';
import { world } from './setup';

const w = world();

const PAGES = [
  '/configuration/cluster',
  '/configuration/cluster/config',
  '/configuration/modules',
  '/configuration/modules/new',
  '/configuration/modules/postgresql/config',
  '/configuration/modules/web/config',
  '/configuration/modules/postgresql/config?step=scripts',
  '/configuration/modules/postgresql/config?step=encryption',
  '/configuration/modules/postgresql/config?step=apply',
];

test.each(['light', 'dark'] as const)('every page of the configuration is accessible, in the %s theme', async (scheme) => {
  await w.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  configurationOf(w.mock.api.cluster).applied.set('node3', { signature: 'deadbeef', date: '2026-01-01T00:00:00' });
  await w.login('admin');
  for (const path of PAGES) {
    await w.page.goto(`/console/en${path}`);
    await w.page.locator('h1').waitFor();
    await w.page.locator('.spinner, .ring').first().waitFor({ state: 'detached' });
    expect(await axeFaults(w.page), path).toEqual([]);
  }
});

test('dialogs, faults and results are accessible too, with everything opened', async () => {
  await w.page.emulateMedia({ reducedMotion: 'reduce' });
  await w.login('admin', '/console/en/configuration/modules/postgresql/config');
  const page = new WizardPage(w.page);
  for (const kind of ['TCP service', 'Ping', 'Program', 'Other module', 'Network interface', 'Local address']) {
    await page.section('Checkers').getByRole('button', { name: kind }).last().click();
  }
  await page.add(page.section('Virtual IP addresses'), /free address/, '10.0.0.228');
  await w.page.evaluate(() => document.querySelectorAll('details').forEach((more) => (more.open = true)));
  await page.button('Next').click();
  await page.faults().first().waitFor();
  expect(await axeFaults(w.page), 'form').toEqual([]);
  await page.faults().last().getByRole('button').click();
  await w.page.locator('.cm-lint-marker-error').first().waitFor();
  expect(await axeFaults(w.page), 'XML').toEqual([]);
  await page.step('Apply').click();
  await page.button('Save and check').click();
  await page.state('check').filter({ hasText: 'Failure' }).waitFor();
  expect(await axeFaults(w.page), 'result').toEqual([]);
  await w.page.goto('/console/en/configuration/modules');
  await new ModulesPage(w.page).choose('Actions on the configuration of postgresql', /Uninstall/);
  expect(await axeFaults(w.page), 'dialog').toEqual([]);
});

test('a phone shows every page without scrolling sideways', async () => {
  await w.page.setViewportSize({ width: 390, height: 800 });
  await w.login('admin');
  for (const path of PAGES) {
    await w.page.goto(`/console/fr${path}`);
    await w.page.locator('h1').waitFor();
    await w.page.locator('.spinner').first().waitFor({ state: 'detached' });
    expect(await w.page.evaluate(() => document.documentElement.scrollWidth), path).toBe(390);
  }
});
