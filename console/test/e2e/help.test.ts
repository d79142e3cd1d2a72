// The help of the pages, the user's guide on the node, the language of the browser.
import { expect, test } from 'vitest';
import { axeFaults } from './axe';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

test.each(['configuration/cluster', 'configuration/cluster/config', 'configuration/modules', 'configuration/modules/new', 'configuration/modules/web/config', 'access', 'monitoring/commands'])('%s explains itself', async (path) => {
  await w.login('admin', `/console/en/${path}`);
  const shell = new Shell(w.page);
  await w.page.getByRole('button', { name: 'Help about this page' }).click();
  expect((await shell.dialog().locator('p').allInnerTexts()).join('').length).toBeGreaterThan(100);
  const links = await shell.dialog().getByRole('link').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) {
    const page = await w.page.request.get(link);
    const anchor = new URL(link).hash.slice(1);
    expect(await page.text()).toContain(anchor ? `id="${anchor}"` : '<main>');
  }
});

test('each page of the guide is there, and its links lead somewhere', async () => {
  const seen = new Map<string, string>();
  const left = [`${w.mock.url}/console/guide/index.html`];
  for (let url = left.pop(); url !== undefined; url = left.pop()) {
    const text = await (await w.page.request.get(url)).text();
    expect(text, url).toContain('<main>');
    seen.set(url, text);
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, target]) => new URL(target!, url).href.split('#')[0]!);
    left.push(...links.filter((link) => link.endsWith('.html') && !seen.has(link) && !left.includes(link)));
  }
  expect(seen.size).toBeGreaterThan(30);
  for (const [url, text] of seen) {
    for (const [, target] of text.matchAll(/href="([^"]*#[^"]+)"/g)) {
      const { href, hash } = new URL(target!, url);
      expect(seen.get(href.split('#')[0]!), `${target} in ${url}`).toContain(`id="${decodeURIComponent(hash.slice(1))}"`);
    }
  }
});

test('the guide can be read in both themes', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await w.page.emulateMedia({ colorScheme });
    await w.page.goto('/console/guide/commands.html');
    expect(await axeFaults(w.page)).toEqual([]);
  }
});

test('the language is that of the browser, then that which was chosen', async () => {
  await w.login('observer');
  await w.page.goto('/console/');
  await w.page.waitForURL('**/console/en/monitoring');
  await new Shell(w.page).menu('Français');
  await w.page.waitForURL('**/console/fr/monitoring');
  await w.page.goto('/');
  await w.page.waitForURL('**/console/fr/monitoring');
});

test('an address that is not well escaped is no page', async () => {
  await w.login('observer', '/console/en/monitoring/modules/%E0%A4%A');
  await w.page.getByText('There is no such page').waitFor();
});

test('the logs of all nodes come in one archive, without those that do not answer', async () => {
  w.mock.api.cluster.node('node2').reachable = false;
  await w.login('observer');
  const monitoring = new MonitoringPage(w.page);
  expect(await monitoring.moduleMenu('postgresql')).toEqual(['Download the logs of all nodes', 'Download the verbose logs of all nodes']);
  const [download] = await Promise.all([w.page.waitForEvent('download'), monitoring.choose('Download the verbose logs of all nodes')]);
  expect(download.suggestedFilename()).toBe('logs_postgresql.zip');
});

test('a node that does not answer is named in the command log', async () => {
  w.mock.api.cluster.node('node2').reachable = false;
  await w.login('observer', '/console/en/monitoring/commands');
  await w.page.getByText('No answer from node2').waitFor();
});
