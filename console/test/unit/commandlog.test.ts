import { expect, test } from 'vitest';
import type { CommandRow } from '../../src/api/types';
import { byDate, entriesOf, filterEntries } from '../../src/state/commandlog';

const row = (date: string, pid: number, event: string, text: string, kind = 'safekit', module = 'mirror'): CommandRow => ({ date, kind, module, pid, event, text });

const ROWS = [
  row('2021-07-27 14:37:33.205122', 6883, 'START', 'config -m mirror'),
  row('2021-07-27 14:37:33.900000', 0, 'I', 'update cluster state', 'cluster', ''),
  row('2021-07-27 14:37:34.705122', 6883, 'END', '0', '', ''),
  row('2021-07-27 14:40:00.000000', 7017, 'START', 'prim -m mirror -u web@10.0.0.103'),
];

test('start and end are one entry, the newest first', () => {
  const entries = entriesOf('node1', ROWS);
  expect(entries.map((e) => [e.text, e.code, e.seconds, e.event])).toEqual([
    ['prim -m mirror', null, null, false],
    ['update cluster state', null, null, true],
    ['config -m mirror', 0, 1.5, false],
  ]);
  expect(entries[0]!.user).toBe('web@10.0.0.103');
});

test('a process number that comes again is another command', () => {
  const again = [...ROWS.slice(0, 3), row('2021-07-27 15:00:00.000000', 6883, 'START', 'stop -m mirror'), row('2021-07-27 15:00:01.000000', 6883, 'END', '1', '', '')];
  expect(entriesOf('n', again).filter((e) => !e.event).map((e) => e.code)).toEqual([1, 0]);
});

test('the end of what began before the log is left out', () => {
  expect(entriesOf('n', [row('2021-07-27 15:00:01.000000', 1, 'END', '1', '', '')])).toEqual([]);
});

test('nodes are mixed by date, and events are left out unless asked for', () => {
  const all = byDate([entriesOf('node1', ROWS), entriesOf('node2', [row('2021-07-27 14:38:00.000000', 5, 'START', 'start -m web', 'safekit', 'web')])]);
  expect(filterEntries(all, '', false).map((e) => e.node)).toEqual(['node1', 'node2', 'node1']);
  expect(filterEntries(all, 'node2 web', true)).toHaveLength(1);
  expect(filterEntries(all, '', true)).toHaveLength(4);
});
