import { expect, test } from 'vitest';
import { LoginPage } from './pages/login';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

test('the page that was asked for appears after the login', async () => {
  await w.login('admin', '/console/en/monitoring/modules/postgresql/nodes/node2/information');
  await new Shell(w.page).heading().getByText('postgresql on node2').waitFor();
  expect(new URL(w.page.url()).pathname).toBe('/console/en/monitoring/modules/postgresql/nodes/node2/information');
});

test('a wrong password is told, and can be typed again', async () => {
  await w.page.goto('/console/en/monitoring');
  const login = new LoginPage(w.page);
  await login.fill('admin', 'wrong');
  await w.page.getByText('The name or the password is wrong.').waitFor();
  expect(await login.password().inputValue()).toBe('');
  await login.password().fill('pwd');
  await w.page.keyboard.press('Enter');
  await w.page.locator('#content').waitFor();
});

test('too many failures say how long to wait', async () => {
  w.mock.api.settings.wait = 2;
  await w.page.goto('/console/en/monitoring');
  const login = new LoginPage(w.page);
  await login.fill('admin', 'wrong');
  await w.page.getByText(/Try again in [12] seconds?\./).waitFor();
  expect(await login.submit().isDisabled()).toBe(true);
  w.mock.api.settings.wait = 0;
  await w.page.getByText(/Try again in/).waitFor({ state: 'detached' });
  await login.fill('admin', 'pwd');
  await w.page.locator('#content').waitFor();
});

test('a setup without login goes straight in, and offers no logout', async () => {
  w.mock.api.settings.methods = ['none'];
  await w.page.goto('/console/en/monitoring');
  await w.page.locator('.matrix').waitFor();
  await w.page.locator('.user-menu button').first().click();
  expect(await w.page.locator('.popup').getByText('Log out').count()).toBe(0);
});

test('OpenID is offered where it is configured, alone or beside the password', async () => {
  w.mock.api.settings.methods = ['openid'];
  await w.page.goto('/console/en/monitoring/commands');
  const link = w.page.getByRole('link', { name: 'Log in with the identity provider' });
  expect(await link.getAttribute('href')).toContain(encodeURIComponent('/console/en/monitoring/commands'));
  expect(await new LoginPage(w.page).password().count()).toBe(0);
});

test('an address that somebody else has made shows no text of his', async () => {
  w.mock.api.settings.methods = ['openid'];
  await w.page.goto('/console/en/login?error=Call+0123+and+tell+your+password');
  const notice = w.page.locator('.notice').first();
  await notice.getByText('Log in again.').waitFor();
  expect(await w.page.getByText('0123').count()).toBe(0);
  await w.page.goto('/console/fr/login?error=unverified');
  await w.page.getByText('votre adresse e-mail').waitFor();
});

test('where only certificates count, the page says so and asks for nothing', async () => {
  w.mock.api.settings.methods = ['certificate'];
  await w.page.goto('/console/en/monitoring');
  await w.page.getByText('Only browsers with a certificate').waitFor();
  expect(await new LoginPage(w.page).password().count()).toBe(0);
});

test('a session that ends brings the login back, and the page after it', async () => {
  await w.login('admin', '/console/en/monitoring/commands');
  await w.page.locator('.table').waitFor();
  await w.page.context().clearCookies();
  await w.page.getByRole('button', { name: 'Refresh' }).click();
  const login = new LoginPage(w.page);
  await login.password().waitFor();
  await w.page.getByText('Your session has ended').waitFor();
  await w.page.locator('input[name=password]:focus').waitFor();
  await login.fill('admin', 'pwd');
  await new Shell(w.page).heading().getByText('Command log').waitFor();
});

test('logout ends the session', async () => {
  await w.login('admin');
  await new Shell(w.page).menu('Log out');
  await new LoginPage(w.page).password().waitFor();
  await w.page.goto('/console/en/monitoring');
  await new LoginPage(w.page).password().waitFor();
});
