import type { Page } from 'playwright-core';
import type { Lang } from '../language';

/** Details of a module on a node. */
export class DetailsPage {
  constructor(private readonly page: Page) {}

  readonly tab = (name: string) => this.page.locator('.tabs').getByRole('link', { name });
  readonly lines = () => this.page.locator('.split-main .log tbody tr');
  readonly line = (text: string) => this.lines().filter({ hasText: text });
  readonly pane = () => this.page.locator('.split-side');
  readonly search = (label: string) => this.page.getByLabel(label, { exact: true });
  readonly resources = () => this.page.locator('.resources .table tbody tr');

  async open(module: string, node: string, tab = '', lang: Lang = 'en'): Promise<void> {
    await this.page.goto(`/console/${lang}/monitoring/modules/${module}/nodes/${node}${tab && `/${tab}`}`);
  }
}
