import type { Page } from 'playwright-core';

/** The monitoring page. */
export class MonitoringPage {
  constructor(private readonly page: Page) {}

  readonly cell = (module: string, node: string) => this.page.getByTestId(`cell-${module}-${node}`);
  readonly state = (module: string, node: string) => this.cell(module, node).locator('.state');
  readonly rows = () => this.page.locator('.matrix tbody tr');
  readonly row = (module: string) => this.rows().filter({ has: this.page.locator('.module-name', { hasText: module }) });
  readonly popup = () => this.page.locator('.popup');

  /** Opens the menu of a module on a node; the labels of its actions. */
  async nodeMenu(module: string, node: string): Promise<string[]> {
    await this.cell(module, node).getByRole('button').click();
    return this.labels();
  }

  /** Opens the menu of a module for all nodes. */
  async moduleMenu(module: string): Promise<string[]> {
    await this.row(module).locator('.module-name button').click();
    return this.labels();
  }

  private labels(): Promise<string[]> {
    return this.popup().locator('.popup-item .popup-text > span').allInnerTexts();
  }

  async choose(label: string): Promise<void> {
    await this.popup().getByText(label, { exact: true }).click();
  }
}
