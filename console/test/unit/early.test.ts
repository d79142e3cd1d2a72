import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { request } from '../../src/api/client';
import { askEarly, dropEarly, noteSession, takeEarly } from '../../src/api/early';
import { follow } from '../../src/api/stream';

let asked: string[];
let status: number;

beforeEach(() => {
  asked = [];
  status = 200;
  const stored = new Map<string, string>();
  vi.stubGlobal('window', {
    localStorage: { getItem: (k: string) => stored.get(k) ?? null, setItem: (k: string, v: string) => void stored.set(k, v), removeItem: (k: string) => void stored.delete(k) },
    addEventListener: () => {},
    removeEventListener: () => {},
  });
  vi.stubGlobal('fetch', (target: string) => {
    asked.push(target);
    return Promise.resolve(new Response(target.endsWith('/events') ? 'event: node\ndata: {}\n\n' : '{}', { status }));
  });
});

afterEach(() => {
  dropEarly();
  vi.unstubAllGlobals();
});

test('a browser without a session asks for nothing else', () => {
  askEarly();
  expect(asked).toEqual(['/api/v1/session']);
});

test('a browser that had a session asks for the cluster at once, until the session ends', () => {
  noteSession(true);
  askEarly();
  expect(asked).toEqual(['/api/v1/session', '/api/v1/events', '/api/v1/nodes']);
  noteSession(false);
  asked = [];
  askEarly();
  expect(asked).toEqual(['/api/v1/session']);
});

test('what was asked early is not asked again, but only once, and only for reading', async () => {
  askEarly();
  await request('/session', { method: 'DELETE' });
  expect(asked).toEqual(['/api/v1/session', '/api/v1/session']);
  await request('/session');
  expect(asked.length).toBe(2);
  await request('/session');
  expect(asked.length).toBe(3);
});

test('a stream goes on with the early answer, or asks anew when that was refused', async () => {
  noteSession(true);
  for (const refused of [false, true]) {
    asked = [];
    status = refused ? 401 : 200;
    askEarly();
    await Promise.resolve();
    status = 200;
    const told = new Promise<void>((resolve) => {
      const stream = follow('/events', {
        onEvent: () => {
          stream.close();
          resolve();
        },
      });
    });
    await told;
    expect(asked.filter((a) => a === '/api/v1/events').length).toBe(refused ? 2 : 1);
    dropEarly();
  }
});

test('what nobody took is given back', async () => {
  noteSession(true);
  askEarly();
  dropEarly();
  expect(takeEarly('/api/v1/events', 'en')).toBeNull();
});

test('what was asked in another language is asked again', () => {
  askEarly();
  expect(takeEarly('/api/v1/session', 'fr')).toBeNull();
  vi.stubGlobal('location', { pathname: '/console/fr/monitoring' });
  askEarly();
  expect(takeEarly('/api/v1/session', 'fr')).not.toBeNull();
});
