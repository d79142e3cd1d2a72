import { beforeEach, expect, test } from 'vitest';
import { bytes, duration, elapsed, rate, serverTime, shortDate } from '../../src/format';
import { lang } from '../../src/i18n';

beforeEach(() => {
  lang.value = 'en';
});

test('bytes by steps of 1024, in the units of the language', () => {
  expect([0, 999, 2048, 1.5 * 1024 ** 2, 98.7 * 1024 ** 3].map(bytes)).toEqual(['0 B', '999 B', '2 KB', '1.5 MB', '99 GB']);
  expect(rate(1840)).toBe('1.8 MB/s');
  lang.value = 'fr';
  expect(bytes(1.5 * 1024 ** 2)).toBe('1,5 Mo');
});

test('durations in two units', () => {
  expect([0, 59.4, 60, 200, 3600, 7500, 86_400, 200_000].map(duration)).toEqual(['0 s', '59 s', '1 min 00 s', '3 min 20 s', '1 h 00 min', '2 h 05 min', '1 day', '2 days']);
});

test('dates of the server are compared without a time zone', () => {
  expect(elapsed('2026-03-02 10:00:00.250000', '2026-03-02 10:00:01.750000')).toBe(1.5);
  expect(elapsed('', '2026-03-02 10:00:01')).toBeNull();
  expect(serverTime('not a date')).toBeNull();
});

test('a date of today is a time', () => {
  expect(shortDate('2026-03-02 10:00:01.250000', '2026-03-02')).toBe('10:00:01');
  expect(shortDate('2026-03-01T10:00:01', '2026-03-02')).toBe('2026-03-01 10:00:01');
});
