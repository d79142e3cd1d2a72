import { expect, test } from 'vitest';
import type { LogLevel, LogLine } from '../../src/api/types';
import { between, filterLines, merge, previousMain, scriptLog } from '../../src/state/logs';

const line = (id: number, level: LogLevel, text = `message ${id}`, origin = 'heart'): LogLine => ({ id, level, text, origin, date: '2026-03-02 10:00:00.000000' });

test('a filter keeps the types and every word, whatever the case', () => {
  const lines = [line(1, 'E', 'Local state PRIM Ready'), line(2, 'C', 'Resource down'), line(3, 'E', 'Remote state'), line(4, 'I', 'state')];
  expect(filterLines(lines, { levels: new Set(['E', 'C']), text: '' }).map((l) => l.id)).toEqual([1, 2, 3]);
  expect(filterLines(lines, { levels: new Set(['E']), text: 'STATE prim' }).map((l) => l.id)).toEqual([1]);
  expect(filterLines(lines, { levels: new Set(['E']), text: 'heart remote' }).map((l) => l.id)).toEqual([3]);
});

test('what comes twice is shown once, in order', () => {
  const old = [line(2, 'E'), line(3, 'E')];
  expect(merge(old, [line(3, 'E'), line(1, 'E'), line(4, 'E')]).map((l) => l.id)).toEqual([1, 2, 3, 4]);
  expect(merge(old, [line(3, 'E')])).toBe(old);
});

test('behind a message is what was said since the main message before it', () => {
  const all = [line(1, 'E'), line(2, 'I'), line(3, 'S'), line(4, 'W'), line(5, 'I'), line(6, 'E'), line(7, 'I')];
  expect(between(all, all[5]!).map((l) => l.id)).toEqual([4, 5, 6]);
  expect(between(all, all[0]!).map((l) => l.id)).toEqual([1]);
  expect(previousMain(all, all[5]!)?.id).toBe(3);
  expect(previousMain(all, all[0]!)).toBeNull();
});

test('the log of a script is named by its message', () => {
  expect(scriptLog(line(1, 'S', 'Script start_prim "WAIT" "ALONE" > userlog_2024-02-12T091410_start_prim.ulog'))).toBe('userlog_2024-02-12T091410_start_prim.ulog');
  expect(scriptLog(line(1, 'S', 'Script stop killed: still running after 30 s'))).toBeNull();
  expect(scriptLog(line(1, 'E', 'userlog_2024-02-12T091410_x.ulog'))).toBeNull();
});
