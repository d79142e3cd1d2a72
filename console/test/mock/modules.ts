// What a module of the mock offers in each state.

import type { ResourceRow } from '../../src/api/types';
import type { MockModule } from './cluster';

/** Commands that make sense now, as the daemon says them. */
export function commandsOf(m: MockModule): string[] {
  if (!m.configured) return [];
  const settings = [value(m, 'usersetting.checker') === 'on' ? 'checker off' : 'checker on'];
  if (m.mode === 'mirror') settings.push(value(m, 'usersetting.failover') === 'on' ? 'failover off' : 'failover on');
  if (m.role === 'STOP') return m.mode === 'mirror' ? ['start', 'prim', 'prim fullsync', 'second', 'second fullsync', ...settings] : ['start', ...settings];
  const running = ['stop', 'restart', 'stopstart', 'forcestop', ...settings];
  return m.role === 'PRIM' || m.role === 'SECOND' ? [...running, 'swap', 'swap nosync'] : running;
}

const value = (m: MockModule, name: string): string | undefined => m.resources.find((r) => r.resource === name)?.value;

const LABELS: Record<string, string> = {
  'state.local': 'Local state',
  'state.remote': 'Remote state',
  'usersetting.boot': 'Module start at boot',
  'usersetting.checker': 'Monitoring by checkers',
  'usersetting.encryption': 'Encrypted communication',
  'usersetting.errd': 'Processes/Services monitoring',
  'usersetting.failover': 'Automatic failover',
  'rfs.uptodate': 'Uptodate replicated data',
  'rfs.degraded': 'Degraded mode for replication',
  'rfs.reintegre_failed': 'Last synchronization status',
  'heart.maxloop': 'Stop on maxloop',
};

/** The resources of a module in its state. */
export function resourcesOf(m: MockModule): ResourceRow[] {
  const running = m.role !== 'STOP';
  const up = running ? 'up' : 'init';
  const setting = (name: string, initial: string) => value(m, `usersetting.${name}`) ?? initial;
  const values: Record<string, string> = {
    'state.local': `${m.role} ${m.readiness}`,
    'usersetting.boot': setting('boot', m.boot),
    'usersetting.checker': setting('checker', 'on'),
    'usersetting.encryption': m.encrypted ? 'on' : 'off',
    'usersetting.errd': setting('errd', 'on'),
    'heart.maxloop': 'false',
    'intf.10.0.0.0': up,
    'ip.10.0.0.228': m.role === 'PRIM' || m.role === 'ALONE' || m.role === 'UP' ? 'up' : 'init',
    'custom.checkfile': m.reason ? 'down' : up,
  };
  if (m.mode === 'mirror') Object.assign(values, mirrorValues(m, running, setting('failover', 'on')));
  for (const share of m.shares) values[`lbgroup.${share.group}_0`] = `${share.percent}%`;
  return Object.entries(values).map(([resource, v]) => ({
    resource,
    value: v,
    date: m.since,
    label: LABELS[resource] ?? labelOf(resource),
  }));
}

function mirrorValues(m: MockModule, running: boolean, failover: string): Record<string, string> {
  const primary = m.role === 'PRIM' || m.role === 'ALONE';
  return {
    'state.remote': m.remote ?? 'UNKNOWN Unknown',
    'usersetting.failover': failover,
    'rfs.uptodate': primary || (m.role === 'SECOND' && m.readiness === 'Ready') ? 'up' : 'down',
    'rfs.degraded': 'down',
    'rfs.reintegre_failed': 'false',
    'rfs.rep_bandwidth': primary && running ? '1840' : '0',
    'rfs.rei_bandwidth': m.progress ? '48200' : '0',
    'heartbeat.default': running ? 'up' : 'init',
    'heartbeat.flow': running ? 'up' : 'init',
    'heartbeatlocaladdr.default': running ? 'up' : 'init',
    'heartbeatlocaladdr.flow': running ? 'up' : 'init',
  };
}

function labelOf(resource: string): string {
  const names: Record<string, string> = {
    heartbeat: 'Heartbeat link', heartbeatlocaladdr: 'Heartbeat interface', intf: 'Interface checker', ip: 'IP checker',
    custom: 'Custom checker', lbgroup: 'Load share',
  };
  return names[resource.split('.')[0] ?? ''] ?? '';
}
