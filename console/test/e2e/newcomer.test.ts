import { expect, test } from 'vitest';
import { fresh } from '../mock/state';
import { Newcomer } from './newcomer';
import { world } from './setup';

const w = world();

test('from two bare servers to a mirror module, and a swap', async () => {
  w.mock.api.use(fresh());
  await w.login('admin', '/console/en/configuration/cluster');
  const path = new Newcomer(w.page, 'en', { timeout: 20_000 });
  const [one, two] = (await path.configureCluster([['10.0.0.107', '10.0.0.108']])) as [string, string];
  await path.configureModule({ module: 'shop', vip: '10.0.0.228', directory: '/data/replicated', script: 'echo open' });
  await path.command('shop', one, 'prim');
  await path.reached('shop', one, 'ALONE');
  await path.command('shop', two, 'start');
  await path.reached('shop', two, 'SECOND');
  await path.reached('shop', one, 'PRIM');
  await path.command('shop', one, 'swap');
  await path.reached('shop', one, 'SECOND');
  await path.reached('shop', two, 'PRIM');
  expect(await w.page.locator('.activity .failed').count()).toBe(0);
});
