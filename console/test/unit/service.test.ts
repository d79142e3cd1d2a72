import { expect, test } from 'vitest';
import type { ModuleMode, ModuleRole, Progress, Readiness } from '../../src/api/types';
import { percentOf, serviceOf, type Placed } from '../../src/state/service';

function on(mode: ModuleMode, role: ModuleRole, readiness: Readiness = 'Ready', more: { reachable?: boolean; degraded?: boolean; configured?: boolean } = {}): Placed {
  const { reachable = true, degraded = false, configured = true } = more;
  return { node: { name: 'n', reachable }, module: { mode, role, readiness, degraded, configured } };
}

test('a mirror is whole with its secondary', () => {
  expect(serviceOf([on('mirror', 'PRIM'), on('mirror', 'SECOND')])).toBe('full');
  expect(serviceOf([on('mirror', 'PRIM'), on('mirror', 'SECOND', 'Transient')])).toBe('degraded');
  expect(serviceOf([on('mirror', 'PRIM', 'Ready', { degraded: true }), on('mirror', 'SECOND')])).toBe('degraded');
  expect(serviceOf([on('mirror', 'ALONE'), on('mirror', 'STOP', 'NotReady')])).toBe('degraded');
  expect(serviceOf([on('mirror', 'WAIT', 'NotReady'), on('mirror', 'STOP', 'NotReady')])).toBe('down');
  expect(serviceOf([on('mirror', 'WAIT', 'Transient'), on('mirror', 'STOP', 'NotReady')])).toBe('moving');
  expect(serviceOf([on('mirror', 'ALONE', 'Transient')])).toBe('moving');
});

test('a farm is whole with all its nodes', () => {
  expect(serviceOf([on('farm', 'UP'), on('farm', 'UP')])).toBe('full');
  expect(serviceOf([on('farm', 'UP'), on('farm', 'STOP', 'NotReady')])).toBe('degraded');
  expect(serviceOf([on('farm', 'STOP', 'NotReady')])).toBe('down');
});

test('a node that does not answer may run it or not', () => {
  const lost = on('mirror', 'PRIM', 'Ready', { reachable: false });
  expect(serviceOf([lost, on('mirror', 'WAIT', 'NotReady')])).toBe('unknown');
  expect(serviceOf([lost, on('mirror', 'SECOND', 'Transient')])).toBe('unknown');
  expect(serviceOf([lost, on('mirror', 'ALONE', 'Transient')])).toBe('moving');
  expect(serviceOf([lost, on('mirror', 'ALONE')])).toBe('degraded');
  expect(serviceOf([lost])).toBe('unknown');
});

test('without a configuration there is no service', () => {
  expect(serviceOf([on('mirror', 'STOP', 'NotReady', { configured: false })])).toBe('unconfigured');
});

test('a reintegration is as far as bytes and the rest at this rate say', () => {
  const progress: Progress = { text: '', files: 1, files_known: 4, copied: 30, compared: 20, rate: 10, left: 5 };
  expect(percentOf(progress)).toBe(50);
  expect(percentOf({ ...progress, left: 0 })).toBe(99);
  expect(percentOf({ ...progress, left: null })).toBe(25);
  expect(percentOf({ ...progress, left: null, files_known: 0 })).toBeNull();
});
