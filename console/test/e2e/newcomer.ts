// The path of a newcomer in steps, in either language: from servers without a cluster to a mirror module
// that runs. On the mock and on real nodes.

import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { texts, type Lang } from './language';
import { ClusterPage, ModulesPage, WizardPage } from './pages/configuration';
import { MonitoringPage } from './pages/monitoring';
import { Shell } from './pages/shell';

/** A network of the cluster: the addresses of its servers. */
export type Lan = readonly string[];

/** What the new module has. */
export interface Shop {
  module: string;
  vip: string;
  directory: string;
  /** Begins the script that starts the application. */
  script: string;
}

export class Newcomer {
  private readonly say;

  constructor(
    private readonly page: Page,
    private readonly lang: Lang,
    /** Commands of real nodes run scripts and copy files. */
    private readonly patience: { timeout: number },
    /** Called on each page on the way. */
    private readonly seen: (name: string) => Promise<void> = async () => {},
  ) {
    this.say = texts(lang);
  }

  /** The wizard opens by itself. Each address that is left is asked for its name: those of the servers. */
  async configureCluster(lans: readonly Lan[]): Promise<string[]> {
    const cluster = new ClusterPage(this.page, this.lang);
    const [first, ...more] = lans as [Lan, ...Lan[]];
    await this.addresses(cluster, 0, first);
    const names = await Promise.all(first.map((_, i) => cluster.name(cluster.row(0, i)).inputValue()));
    expect(new Set(names).size).toBe(first.length);
    for (const [i, lan] of more.entries()) {
      await cluster.button(this.say('cluster.addLan')).click();
      await this.addresses(cluster, i + 1, lan);
    }
    // What the server found wrong while names were missing is not so any more.
    await expect.poll(() => this.page.locator('.field-error, .tag-fault').count(), this.patience).toBe(0);
    await this.seen('cluster-wizard');
    await cluster.button(this.say('cluster.apply')).click();
    await cluster.notice(this.say('cluster.done')).waitFor(this.patience);
    await this.seen('cluster-result');
    await cluster.button(this.say('cluster.toModules')).click();
    return names;
  }

  private async addresses(cluster: ClusterPage, lan: number, addresses: Lan): Promise<void> {
    for (const [i, addr] of addresses.entries()) {
      const row = cluster.row(lan, i);
      await cluster.address(row).fill(addr);
      await cluster.address(row).press('Tab');
      await row.locator('.reach.good').waitFor(this.patience);
    }
  }

  /** A mirror from its template, applied on both nodes. */
  async configureModule({ module, vip, directory, script }: Shop): Promise<void> {
    const { page, say } = this;
    const modules = new ModulesPage(page, this.lang);
    await modules.template(/^mirror /).check(this.patience);
    await page.getByRole('textbox', { name: say('new.nameLabel'), exact: true }).fill(module);
    await this.seen('new-module');
    await modules.button(say('new.do')).click();
    const wizard = new WizardPage(page, this.lang);
    await wizard.add(wizard.section(say('form.vip')), say('form.vip.first'), vip);
    const directories = wizard.section(say('form.replication'));
    await directories.getByLabel(say('field.replicated.dir'), { exact: true }).first().fill(directory);
    await directories.getByRole('button', { name: say('form.remove', { what: '/test2replicated' }) }).click();
    await this.seen('module-edit');
    await wizard.button(say('wizard.next')).click();
    await wizard.line('systemctl start').click();
    await page.keyboard.press('Home');
    await page.keyboard.type(`${script}\n`);
    await this.seen('module-scripts');
    await wizard.button(say('wizard.next')).click();
    await this.seen('module-encryption');
    await wizard.button(say('wizard.next')).click();
    await page.getByText(say('encryption.willMake')).waitFor();
    await this.seen('module-apply');
    await wizard.button(say('apply.apply')).click();
    await wizard.notice(say('result.apply.good')).waitFor(this.patience);
    await this.seen('module-result');
    await wizard.button(say('result.monitoring')).click();
  }

  /** A command from the menu of a node, answered with yes when it asks. */
  async command(module: string, node: string, command: 'start' | 'stop' | 'prim' | 'swap'): Promise<void> {
    const monitoring = new MonitoringPage(this.page);
    await monitoring.nodeMenu(module, node);
    await this.seen(`menu-${command}`);
    await monitoring.choose(this.say(`command.${command}`));
    if (command === 'start') return;
    await this.seen(`question-${command}`);
    await new Shell(this.page).confirm();
  }

  /** Waits until the module is in this state on the node, and stays there. */
  async reached(module: string, node: string, state: string): Promise<void> {
    const shown = new MonitoringPage(this.page).state(module, node).filter({ hasText: new RegExp(`${state}\\s*(Not)?Ready`) });
    await shown.waitFor(this.patience);
  }
}
