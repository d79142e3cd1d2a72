import type { Locator, Page } from 'playwright-core';
import { texts, type Lang, type Say } from '../language';

/** What the configuration pages have in common. */
export class ConfigurationPage {
  protected readonly say: Say;

  constructor(
    protected readonly page: Page,
    lang: Lang = 'en',
  ) {
    this.say = texts(lang);
  }

  readonly button = (name: string | RegExp) => this.page.getByRole('button', { name });
  readonly field = (label: string | RegExp) => this.page.getByLabel(label);
  readonly notice = (text: string | RegExp) => this.page.locator('.notice', { hasText: text });
  readonly dialog = () => this.page.getByRole('dialog');
  readonly confirm = () => this.page.getByTestId('confirm');
  readonly faults = () => this.page.locator('.faults li');

  /** A step of an action, by its id. */
  readonly run = (id: string) => this.page.getByTestId(`run-${id}`);
  readonly state = (id: string) => this.run(id).locator('.badge');

  /** The text of the editor. */
  readonly editor = () => this.page.locator('.cm-content');
  readonly line = (text: string) => this.page.locator('.cm-line', { hasText: text }).first();

  readonly advanced = () => this.page.getByRole('radio', { name: this.say('configuration.advanced') });
  readonly form = () => this.page.getByRole('radio', { name: this.say('configuration.form') });

  /** Chooses an entry of a menu. */
  async choose(menu: string | RegExp, entry: string | RegExp): Promise<void> {
    await this.page.getByRole('button', { name: menu }).click();
    await this.page.getByRole('menuitem', { name: entry }).click();
  }
}

export class ClusterPage extends ConfigurationPage {
  readonly nodes = () => this.page.locator('.node-line');
  readonly node = (name: string) => this.page.locator('.node-line', { hasText: name });
  readonly lan = (i: number) => this.page.locator('.lan-card').nth(i);
  readonly row = (lan: number, i: number) => this.lan(lan).locator('.node-row').nth(i);
  readonly address = (row: Locator) => row.getByLabel(this.say('field.node.addr'), { exact: true });
  readonly name = (row: Locator) => row.getByLabel(this.say('field.node.name'));
  readonly reached = (row: Locator) => row.locator('.reach');
}

export class ModulesPage extends ConfigurationPage {
  readonly card = (module: string) => this.page.locator('.module-card', { has: this.page.getByRole('heading', { name: module }) });
  readonly template = (name: string | RegExp) => this.page.getByRole('radio', { name });
}

export class WizardPage extends ConfigurationPage {
  readonly step = (name: string | RegExp) => this.page.getByRole('navigation', { name: this.say('configuration.steps') }).getByRole('button', { name });
  readonly target = (node: string) => this.page.locator('.target-list li', { hasText: node });
  readonly box = (node: string) => this.target(node).getByRole('checkbox');
  readonly section = (title: string | RegExp) => this.page.locator('.card', { has: this.page.getByRole('heading', { name: title }) });
  readonly script = (name: string) => this.page.getByRole('tab', { name });

  /** Adds the value of a line with a button. */
  async add(section: Locator, label: string | RegExp, value: string): Promise<void> {
    const line = section.locator('.add-line', { has: this.page.getByLabel(label) });
    await line.getByRole('textbox').fill(value);
    await line.getByRole('button').click();
  }
}
