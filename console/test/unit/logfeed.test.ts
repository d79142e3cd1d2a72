import { beforeEach, expect, test } from 'vitest';
import type { LogLevel, LogLine } from '../../src/api/types';
import { CATCH_UP, CHUNK, LogFeed, MOST, type LogQuery } from '../../src/state/logfeed';
import { MAIN_LEVELS, type LogFilter } from '../../src/state/logs';

const ALL: LogFilter = { levels: new Set(MAIN_LEVELS), text: '' };
const CRITICAL: LogFilter = { levels: new Set(['C']), text: '' };

/** A node with its log; ids have holes, as verbose messages take some. */
class Log {
  lines: LogLine[] = [];
  asked: LogQuery[] = [];
  fails = false;
  private next = 1;

  say(n: number, level: LogLevel = 'E', text = 'message'): LogLine[] {
    const lines = Array.from({ length: n }, () => ({ id: (this.next += 2), level, text, origin: 'heart', date: '2026-03-02 10:00:00.000000' }));
    this.lines.push(...lines);
    return lines;
  }

  read = async (query: LogQuery): Promise<LogLine[]> => {
    this.asked.push(query);
    if (this.fails) throw new Error('no answer');
    const levels = query.levels?.split(',') ?? MAIN_LEVELS;
    const fits = (l: LogLine) => l.id < (query.before ?? Infinity) && (levels as string[]).includes(l.level) && l.text.includes(query.text ?? '');
    return this.lines.filter(fits).slice(-query.count);
  };
}

let log: Log;
let feed: LogFeed;

beforeEach(() => {
  log = new Log();
  feed = new LogFeed(log.read);
});

const ids = (lines: LogLine[]) => lines.map((line) => line.id);

test('a connection that was lost for long leaves no hole', async () => {
  log.say(1000);
  await feed.opened();
  log.say(CHUNK * 4);
  await feed.opened();
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(-CHUNK * 5)));
  expect(feed.gap.value).toBe(false);
});

test('what is too much to read again is told, and nothing is shown behind the hole', async () => {
  log.say(1000);
  await feed.opened();
  log.say(CATCH_UP + 1);
  const reading = feed.opened();
  // Said meanwhile.
  feed.came(log.say(2));
  await reading;
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(-CATCH_UP - 2)));
  expect(feed.gap.value).toBe(true);
  // The rest can be read.
  await feed.older(ALL);
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(-CATCH_UP - 2 - CHUNK)));
});

test('what could not be read is read the next time, whatever came meanwhile', async () => {
  log.say(10);
  await feed.opened();
  log.say(CHUNK * 2);
  log.fails = true;
  await feed.opened();
  expect(feed.error.value).toBeInstanceOf(Error);
  feed.came(log.say(1));
  log.fails = false;
  await feed.opened();
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines));
  expect(feed.error.value).toBeNull();
});

test('an old message of a type is found behind thousands of others', async () => {
  const [lost] = log.say(1, 'C', 'disk lost');
  log.say(5 * CHUNK);
  await feed.opened();
  expect(feed.shown(CRITICAL)).toEqual([]);
  expect(feed.hasOlder(CRITICAL)).toBe(true);
  await feed.older(CRITICAL);
  expect(feed.shown(CRITICAL)).toEqual([lost]);
  expect(feed.hasOlder(CRITICAL)).toBe(false);
  const words: LogFilter = { ...ALL, text: 'disk' };
  feed.filtered();
  await feed.older(words);
  expect(feed.shown(words)).toEqual([lost]);
  // Without a filter there is no hole before what was read.
  feed.filtered();
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(-CHUNK)));
  expect(feed.hasOlder(ALL)).toBe(true);
});

test('what was found for another filter is not shown', async () => {
  log.say(1, 'C');
  log.say(CHUNK);
  await feed.opened();
  const reading = feed.older(CRITICAL);
  feed.filtered();
  await reading;
  expect(feed.found.value).toEqual([]);
});

test('without a type nothing fits, however old', async () => {
  log.say(2 * CHUNK);
  await feed.opened();
  expect(feed.hasOlder({ levels: new Set(), text: '' })).toBe(false);
});

test('a paused log stands still and misses nothing', async () => {
  log.say(3);
  await feed.opened();
  feed.pause(true);
  feed.came(log.say(2));
  log.say(CHUNK);
  await feed.opened();
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(0, 3)));
  expect(feed.held()).toBe(CHUNK + 2);
  feed.pause(false);
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines));
});

test('older messages are read up to a bound, the first ones end it', async () => {
  log.say(MOST + CHUNK);
  await feed.opened();
  for (let n = 0; feed.hasOlder(ALL); n += 1) {
    expect(n).toBeLessThan(100);
    await feed.older(ALL);
  }
  expect(ids(feed.shown(ALL))).toEqual(ids(log.lines.slice(-MOST)));
  expect(feed.full()).toBe(true);
  expect(feed.hasOlder(CRITICAL)).toBe(true);
  const short = new Log();
  short.say(CHUNK + 1);
  const whole = new LogFeed(short.read);
  await whole.opened();
  await whole.older(ALL);
  expect([whole.hasOlder(ALL), whole.shown(ALL).length]).toEqual([false, CHUNK + 1]);
});
