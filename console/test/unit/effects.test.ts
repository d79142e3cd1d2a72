import { beforeEach, expect, test } from 'vitest';
import type { ModuleMode, ModuleOverview, ModuleRole } from '../../src/api/types';
import { lang } from '../../src/i18n';
import { COMMANDS, effectsOn, effectsOnAll, targets, type ControlCommand, type Spot } from '../../src/state/effects';

beforeEach(() => {
  lang.value = 'en';
});

function spot(node: string, role: ModuleRole, more: Partial<ModuleOverview> = {}, mode: ModuleMode = 'mirror'): Spot {
  const ready = role === 'STOP' || role === 'WAIT' ? ('NotReady' as const) : ('Ready' as const);
  const stamp = { signature: '', date: 0 };
  return {
    node,
    module: {
      module: 'm', id: 1, mode, configured: true, role, readiness: ready, remote: null, since: '', reason: null, uptodate: true, degraded: false,
      shares: [], progress: null, encrypted: true, saved_key: 'active', boot: 'on', active: stamp, current: stamp, commands: [...COMMANDS].filter((c) => c !== 'failover on'), starts: 0, ...more,
    },
  };
}

const text = (command: ControlCommand, of: Spot, others: Spot[]): string => effectsOn(command, of, others)?.effects.join(' ') ?? '';

test('stopping a primary moves the application to its secondary', () => {
  const warning = effectsOn('stop', spot('node1', 'PRIM'), [spot('node2', 'SECOND')]);
  expect(warning).toEqual({
    effects: ['The application stops on node1 and starts on node2.', 'Clients lose their connections for some seconds.'],
    danger: true,
  });
});

test('a secondary that is not ready does not take over', () => {
  const others = [spot('node2', 'SECOND', { readiness: 'Transient' })];
  expect(text('stop', spot('node1', 'PRIM'), others)).toContain('no other node takes over: the service is down');
});

test('without automatic failover nobody takes over', () => {
  const primary = spot('node1', 'PRIM', { commands: ['stop', 'failover on'] });
  expect(text('stop', primary, [spot('node2', 'SECOND')])).toContain('automatic failover is disabled');
});

test('stopping the only one that runs stops the service', () => {
  expect(text('stop', spot('node1', 'ALONE'), [spot('node2', 'STOP')])).toContain('the service is down');
  expect(text('stop', spot('node1', 'UP', {}, 'light'), [])).toContain('the service is down');
});

test('stopping a secondary leaves the primary without a successor', () => {
  expect(text('stop', spot('node2', 'SECOND'), [spot('node1', 'PRIM')])).toContain('no node can take over');
});

test('a node of a farm leaves its clients to the others', () => {
  const others = [spot('node2', 'UP', {}, 'farm'), spot('node3', 'STOP', {}, 'farm')];
  expect(text('stop', spot('node1', 'UP', {}, 'farm'), others)).toContain('its clients are served by node2.');
  expect(text('stop', spot('node1', 'UP', {}, 'farm'), [spot('node3', 'STOP', {}, 'farm')])).toContain('the service is down');
});

test('a swap says both nodes, from whichever it is given', () => {
  const [prim, second] = [spot('node1', 'PRIM'), spot('node2', 'SECOND')];
  const said = 'The application stops on node1 and starts on node2.';
  expect(text('swap', prim, [second])).toContain(said);
  expect(text('swap', second, [prim])).toContain(said);
});

test('a forced start with data that may be old says so first', () => {
  const effects = effectsOn('prim', spot('node1', 'STOP', { uptodate: false }), [spot('node2', 'STOP')])!.effects;
  expect(effects[0]).toContain('NOT known to be up to date');
  expect(text('prim', spot('node1', 'STOP'), [spot('node2', 'STOP')])).not.toContain('NOT known');
});

test('a forced secondary names the primary that it copies, or the lack of one', () => {
  expect(text('second', spot('node2', 'STOP'), [spot('node1', 'ALONE')])).toContain('secondary of node1');
  expect(text('second', spot('node2', 'STOP'), [spot('node1', 'STOP')])).toContain('will fail');
});

test('full copies say from which node to which', () => {
  const [mine, other] = [spot('node1', 'STOP'), spot('node2', 'STOP')];
  expect(text('prim fullsync', mine, [other])).toContain('all files of the replicated directories are copied from node1 to node2');
  expect(text('prim fullsync', mine, [])).toContain('copied from node1 to the other node');
  expect(text('second fullsync', mine, [spot('node2', 'ALONE')])).toContain('All files of the replicated directories are copied from node2 to node1');
});

test('a swap without synchronization says what becomes of the data', () => {
  const said = text('swap nosync', spot('node1', 'SECOND'), [spot('node2', 'PRIM')]);
  expect(said).toContain('The application stops on node2 and starts on node1. node2 starts again as secondary of node1.');
  expect(said).toContain('node2 then takes over what node1 writes from the swap on, so nothing is lost');
});

test('what hurts nobody is not asked', () => {
  const harmless = COMMANDS.filter((c) => effectsOn(c, spot('node1', 'STOP'), []) === null);
  expect(harmless).toEqual(['start', 'checker on', 'failover on']);
});

test('every command says something in both languages, in every state', () => {
  for (const language of ['en', 'fr'] as const) {
    lang.value = language;
    for (const command of COMMANDS) {
      for (const role of ['STOP', 'WAIT', 'ALONE', 'PRIM', 'SECOND'] as const) {
        for (const warning of [effectsOn(command, spot('node1', role), [spot('node2', 'SECOND')]), effectsOnAll(command, [spot('node1', role)])]) {
          expect(warning?.effects.every((e) => e.length > 0 && !/[{}]/.test(e)) ?? true, `${command} ${role}`).toBe(true);
        }
      }
    }
  }
});

test('a stop of all nodes stops the secondary first', () => {
  const nodes = targets('stop', [spot('node1', 'PRIM'), spot('node2', 'SECOND')]).map((s) => s.node);
  expect(nodes).toEqual(['node2', 'node1']);
});

test('a primary starts anew after its secondary: the application moves once', () => {
  const nodes = targets('stopstart', [spot('node1', 'PRIM'), spot('node2', 'SECOND')]).map((s) => s.node);
  expect(nodes).toEqual(['node2', 'node1']);
});

test('what goes from node to node says so, of more than one', () => {
  const nodes = [spot('node1', 'UP', {}, 'farm'), spot('node2', 'UP', {}, 'farm')];
  for (const command of ['restart', 'stopstart'] as const) {
    expect(effectsOnAll(command, nodes)!.effects[1]).toContain('A node follows when the one before is stable again.');
    expect(effectsOnAll(command, nodes.slice(0, 1))!.effects.join()).not.toContain('A node follows');
  }
});

test('a swap goes to the primary only, a restart to those that serve', () => {
  const spots = [spot('node1', 'SECOND'), spot('node2', 'PRIM')];
  expect(targets('swap', spots).map((s) => s.node)).toEqual(['node2']);
  expect(targets('restart', spots).map((s) => s.node)).toEqual(['node2']);
});

test('nodes that do not offer a command are not sent it', () => {
  expect(targets('start', [spot('node1', 'STOP', { commands: ['start'] }), spot('node2', 'ALONE', { commands: ['stop'] })]).map((s) => s.node)).toEqual(['node1']);
});
