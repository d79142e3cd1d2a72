// W-3a: the whole way of an administrator, from servers without a cluster to a module whose logs and
// resources are looked at; once in English and light, once in French and dark.

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { foreign, texts, type Lang } from '../e2e/language';
import { Newcomer } from '../e2e/newcomer';
import { DetailsPage } from '../e2e/pages/details';
import { Shell } from '../e2e/pages/shell';
import { browsers, sandboxes } from './browsers';
import { picture } from './pictures';
import { PATIENCE, type Sandbox } from './sandbox';

const up = sandboxes();
const open = browsers();

const LANS = [['10.77.1.1', '10.77.1.2'], ['10.77.2.1', '10.77.2.2']];
const SHOP = { module: 'shop', vip: '10.77.1.100', directory: '/data/replicated', script: 'echo the shop opens' };
/** As the log says it (MSG-CMD); the address is the one that the web service sees. */
const CALLED = { en: (command: string) => `Action ${command} called by admin@127.0.0.1`, fr: (command: string) => `Action ${command} demandée par admin@127.0.0.1` };

class Walk {
  private readonly say;
  private readonly details;

  constructor(
    private readonly sandbox: Sandbox,
    private readonly page: Page,
    private readonly lang: Lang,
    private readonly theme: 'light' | 'dark',
  ) {
    this.say = texts(lang);
    this.details = new DetailsPage(page);
  }

  /** What every page must be. */
  readonly seen = async (name: string): Promise<void> => {
    const html = this.page.locator('html');
    expect([name, await html.getAttribute('lang'), await html.getAttribute('data-theme')]).toEqual([name, this.lang, this.theme]);
    expect([name, await foreign(this.page, this.lang)]).toEqual([name, []]);
    await picture(this.page, `${this.lang}-${name}`);
  };

  async whole(): Promise<void> {
    const path = new Newcomer(this.page, this.lang, PATIENCE, this.seen);
    await new Shell(this.page).menu(this.say(`user.theme.${this.theme}`));
    expect(await path.configureCluster(LANS)).toEqual(['node1', 'node2']);
    await path.configureModule(SHOP);
    await path.command('shop', 'node1', 'prim');
    await path.reached('shop', 'node1', 'ALONE');
    await path.command('shop', 'node2', 'start');
    await path.reached('shop', 'node2', 'SECOND');
    await path.reached('shop', 'node1', 'PRIM');
    await path.command('shop', 'node1', 'swap');
    await path.reached('shop', 'node1', 'SECOND');
    await path.reached('shop', 'node2', 'PRIM');
    await path.command('shop', 'node1', 'stop');
    await path.reached('shop', 'node1', 'STOP');
    await path.reached('shop', 'node2', 'ALONE');
    await this.seen('monitoring');
    await this.called('node1', ['prim', 'swap', 'stop']);
    await this.called('node2', ['start']);
    await this.logs();
    await this.resources();
    await this.rest();
  }

  /** Who gave the commands, in the log of the console and by the command line. */
  private async called(node: string, commands: string[]): Promise<void> {
    await this.details.open('shop', node, 'logs', this.lang);
    const log = await this.sandbox.log('shop', node, this.lang);
    for (const command of commands) {
      const text = CALLED[this.lang](command);
      await this.details.line(text).first().waitFor();
      expect(log).toContain(text);
    }
  }

  /** On node2, which has been primary: filters, what lies behind a message, the output of a script. */
  private async logs(): Promise<void> {
    const { page, details, say } = this;
    const levels = (['C', 'E', 'U', 'S'] as const).map((level) => page.locator(`.toolbar .chip.level-${level}`));
    await details.line('start_prim').first().waitFor();
    await this.seen('logs');
    for (const level of [levels[0]!, levels[1]!, levels[3]!]) await level.click();
    await expect.poll(() => page.locator('.split-main .log tbody tr:not(.level-U)').count()).toBe(0);
    await details.line(CALLED[this.lang]('start')).waitFor();
    for (const level of [levels[0]!, levels[1]!, levels[3]!]) await level.click();
    await details.search(say('log.search')).fill('PRIM Ready');
    await details.line('PRIM Ready').first().waitFor();
    await expect.poll(() => details.lines().filter({ hasNotText: 'PRIM Ready' }).count()).toBe(0);
    await details.line('PRIM Ready').first().click();
    await details.pane().locator('tbody tr').nth(1).waitFor();
    expect(await details.pane().locator('tbody tr.level-W').count()).toBeGreaterThan(0);
    await this.seen('logs-verbose');
    await details.search(say('log.search')).fill('start_prim');
    await details.line('start_prim').first().click();
    await details.pane().getByText('the shop opens').waitFor();
    await this.seen('logs-script');
  }

  /** The values of a resource over time. */
  private async resources(): Promise<void> {
    const { page, details, say } = this;
    await details.tab(say('details.tab.resources')).click();
    const row = details.resources().filter({ hasText: { en: 'Local state', fr: 'État local' }[this.lang] });
    await row.click();
    await details.pane().locator('.plot canvas').waitFor();
    await this.seen('resources');
    const values = await details.pane().locator('tbody tr td:first-child').allInnerTexts();
    expect(values.map((value) => value.trim()).slice(0, 2)).toEqual(['ALONE Ready', 'PRIM Ready']);
    expect(page.url()).toContain('resource=state.local');
  }

  /** The pages that lie beside the way. */
  private async rest(): Promise<void> {
    const { page, say } = this;
    for (const tab of ['replication', 'explain', 'information', 'rescue'] as const) {
      await this.details.tab(say(`details.tab.${tab}`)).click();
      await page.waitForURL(`**/${tab}`);
      await this.settled(`details-${tab}`);
    }
    for (const path of ['monitoring/commands', 'configuration/cluster', 'configuration/modules', 'access']) {
      await page.goto(`/console/${this.lang}/${path}`);
      await this.settled(path.replace('/', '-'));
    }
  }

  /** Once everything is there that the page asks for. */
  private async settled(name: string): Promise<void> {
    await this.page.locator('#content').waitFor();
    await expect.poll(() => this.page.locator('#content .spinner, #content .ring').count(), PATIENCE).toBe(0);
    await this.seen(name);
  }
}

for (const [lang, scheme] of [['en', 'light'], ['fr', 'dark']] as const) {
  test(`W-3a in ${lang}, ${scheme}`, async () => {
    const sandbox = await up(`walk-${lang}`, { bare: true });
    const page = await open(sandbox, { locale: lang, address: `/console/${lang}/configuration/cluster` });
    await new Walk(sandbox, page, lang, scheme).whole();
  });
}
