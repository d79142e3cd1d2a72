import { expect, test } from 'vitest';
import type { ResourceRow } from '../../src/api/types';
import { filterResources, inGroup, seriesOf, split, valueTone } from '../../src/state/resources';

const row = (resource: string, value = 'up', label = ''): ResourceRow => ({ resource, value, label, date: null });

test('names may hold dots', () => {
  expect(split('ip.192.168.1.99')).toEqual({ category: 'ip', name: '192.168.1.99' });
});

test('groups are those of the guide', () => {
  expect(inGroup('rfs.uptodate', 'status')).toBe(true);
  expect(inGroup('rfs.rep_bandwidth', 'status')).toBe(false);
  expect(inGroup('rfs.rep_bandwidth', 'replication')).toBe(true);
  expect(inGroup('custom.x', 'checkers')).toBe(true);
  expect(inGroup('usersetting.boot', 'checkers')).toBe(false);
  expect(inGroup('anything.else', 'all')).toBe(true);
});

test('a filter looks at names, labels and values', () => {
  const rows = [row('custom.checkfile'), row('tcp.web', 'down'), row('intf.eth0', 'up', 'Interface checker')];
  expect(filterResources(rows, 'all', 'down').map((r) => r.resource)).toEqual(['tcp.web']);
  expect(filterResources(rows, 'all', 'INTERFACE').map((r) => r.resource)).toEqual(['intf.eth0']);
  expect(filterResources(rows, 'status', '')).toEqual([]);
});

test('up is bad where it means a fault', () => {
  expect(valueTone(row('rfs.uptodate', 'up'))).toBe('good');
  expect(valueTone(row('rfs.degraded', 'up'))).toBe('bad');
  expect(valueTone(row('rfs.degraded', 'down'))).toBe('good');
  expect(valueTone(row('heart.maxloop', 'false'))).toBe('good');
  expect(valueTone(row('state.local', 'SECOND Transient'))).toBe('warning');
  expect(valueTone(row('state.local', 'WAIT NotReady'))).toBe('neutral');
});

test('numbers are drawn as they are, words from bad to good', () => {
  const at = (value: string, micros: number) => ({ date: '', micros, value });
  expect(seriesOf([at('50%', 1e6), at('100%', 2e6)])).toEqual({ times: [1, 2], values: [50, 100], words: null });
  expect(seriesOf([at('up', 1e6), at('down', 2e6), at('init', 3e6)])).toEqual({ times: [1, 2, 3], values: [2, 0, 1], words: ['down', 'init', 'up'] });
  expect(seriesOf([])).toEqual({ times: [], values: [], words: [] });
});
