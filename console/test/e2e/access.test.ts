import { expect, test } from 'vitest';
import { Shell } from './pages/shell';
import { world } from './setup';

const w = world();

test('the command log mixes the nodes and filters', async () => {
  await w.login('observer', '/console/en/monitoring/commands');
  const rows = w.page.locator('.table tbody tr');
  await expect.poll(() => rows.count()).toBe(4);
  await w.page.getByLabel('Node').selectOption('node1');
  await expect.poll(() => rows.count()).toBe(2);
  await w.page.getByLabel('Filter commands').fill('prim');
  await expect.poll(() => rows.count()).toBe(1);
  expect(await rows.first().innerText()).toContain('admin@10.0.0.5');
});

test('the access page says who may log in, and how the connection is protected', async () => {
  w.mock.api.settings.https = true;
  await w.login('admin', '/console/en/access');
  await w.page.locator('.table', { hasText: 'operator' }).waitFor();
  await w.page.getByText('7292 days left').first().waitFor();
});

test('a certificate that ends on another node is told, until it is dismissed', async () => {
  w.mock.api.settings.https = true;
  w.mock.api.settings.ending = 'node2';
  await w.login('admin');
  const notice = w.page.locator('.notice', { hasText: 'node2' });
  await notice.getByText('The certificate of the web service expires in 12 days: make a new one with initssl').waitFor();
  await notice.getByRole('button').click();
  await notice.waitFor({ state: 'detached' });
  await w.page.goto('/console/en/access');
  const cards = w.page.locator('.certificate');
  await expect.poll(() => cards.filter({ hasText: 'days left' }).allInnerTexts()).toHaveLength(3);
  expect(await cards.filter({ hasText: 'node2' }).innerText()).toContain('12 days left');
  expect(await cards.filter({ hasText: 'node1' }).innerText()).toContain('7292 days left');
});

test('how long a token may live is what the node allows', async () => {
  w.mock.api.cluster.tokenDays = 45;
  await w.login('admin', '/console/en/access');
  await w.page.getByRole('button', { name: 'New token' }).click();
  const shell = new Shell(w.page);
  await shell.dialog().getByText('45 days at most').waitFor();
  expect(await shell.dialog().getByLabel('Valid for').locator('option').allInnerTexts()).toEqual(['30 days', '45 days']);
  expect(await shell.dialog().getByLabel('Valid for').inputValue()).toBe('45');
});

test('a token is shown once, and revoked after a question', async () => {
  await w.login('admin', '/console/en/access');
  await w.page.getByRole('button', { name: 'New token' }).click();
  const shell = new Shell(w.page);
  await shell.dialog().getByLabel('Name').fill('report');
  await shell.dialog().getByRole('button', { name: 'Create the token' }).click();
  await shell.dialog().getByText(/skt_\w+/).waitFor();
  await shell.dialog().locator('footer').getByRole('button', { name: 'Close' }).click();
  await w.page.getByRole('button', { name: 'Revoke: report' }).click();
  expect(await shell.question()).toContain('Scripts that use report are refused at once.');
  await shell.confirm();
  await w.page.getByRole('button', { name: 'Revoke: report' }).waitFor({ state: 'detached' });
});
