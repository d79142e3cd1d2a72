import { expect, test } from 'vitest';
import { EventDecoder } from '../../src/api/sse';

test('an event is given when its blank line has come, wherever the pieces are cut', () => {
  const whole = 'event: node\ndata: {"a":1}\n\n: comment\n\nevent: gone\r\ndata: x\r\ndata: y\r\n\r\n';
  for (let cut = 0; cut <= whole.length; cut++) {
    const decoder = new EventDecoder();
    const events = [...decoder.push(whole.slice(0, cut)), ...decoder.push(whole.slice(cut))];
    expect(events, `cut at ${cut}`).toEqual([
      { event: 'node', data: '{"a":1}' },
      { event: 'gone', data: 'x\ny' },
    ]);
  }
});

test('comments and events without data say nothing', () => {
  expect(new EventDecoder().push(': still here\n\nevent: node\n\n')).toEqual([]);
});

test('an event without a name is a message, and names do not last', () => {
  const decoder = new EventDecoder();
  expect(decoder.push('event: a\ndata: 1\n\ndata: 2\n\n')).toEqual([
    { event: 'a', data: '1' },
    { event: 'message', data: '2' },
  ]);
});
