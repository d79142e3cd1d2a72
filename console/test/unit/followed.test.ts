import { expect, test } from 'vitest';
import { heard, type Followed } from '../../src/pages/module/useModule';

test('a module that is lost is shown as it was, one that is not configured any more is not', () => {
  let now: Followed = { state: null, trouble: null };
  const tell = (event: string, data: unknown) => (now = heard(now, { event, data: JSON.stringify(data) }));
  tell('unconfigured', { error: 'not configured' });
  expect(now).toEqual({ state: null, trouble: 'not configured' });
  tell('state', { module: 'web', role: 'UP' });
  expect(now).toMatchObject({ state: { role: 'UP' }, trouble: null });
  tell('lost', { error: 'no answer' });
  expect(now).toMatchObject({ state: { role: 'UP' }, trouble: 'no answer' });
  tell('unconfigured', { error: 'not configured' });
  expect(now).toEqual({ state: null, trouble: 'not configured' });
  expect(tell('later', {})).toBe(now);
});
