import type { Page } from 'playwright-core';

/** The login page. */
export class LoginPage {
  constructor(private readonly page: Page) {}

  readonly user = () => this.page.locator('input[name=username]');
  readonly password = () => this.page.locator('input[name=password]');
  readonly submit = () => this.page.locator('button[type=submit]');

  /** Opens an address of the console and logs in; the page asked for appears. */
  async login(user: string, password: string, address = '/console/en/monitoring'): Promise<void> {
    await this.page.goto(address);
    await this.fill(user, password);
    await this.page.locator('#content').waitFor();
  }

  async fill(user: string, password: string): Promise<void> {
    await this.user().fill(user);
    await this.password().fill(password);
    await this.submit().click();
  }
}
