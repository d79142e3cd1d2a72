import type { Page } from 'playwright-core';

/** What is around every page. */
export class Shell {
  constructor(private readonly page: Page) {}

  readonly heading = () => this.page.getByRole('heading', { level: 1 });
  readonly link = (name: string) => this.page.locator('.sidebar').getByRole('link', { name, exact: true });
  readonly banner = () => this.page.locator('.banner');
  readonly pill = () => this.page.locator('.header .pill');
  readonly dialog = () => this.page.getByRole('dialog');
  readonly activity = () => this.page.getByTestId('activity');

  async menu(item: string): Promise<void> {
    await this.page.locator('.user-menu button').first().click();
    await this.page.locator('.popup').getByText(item, { exact: true }).click();
  }

  /** What the question says will happen. */
  async question(): Promise<string> {
    return this.dialog().locator('.question-text').innerText();
  }

  async confirm(): Promise<void> {
    await this.page.getByTestId('confirm').click();
  }
}
