// What the states of a module on its nodes mean for those who use it (ST-06). Pure.

import type { ModuleMode, ModuleOverview, ModuleRole, Progress, Readiness } from '../api/types';
import type { IconName, Tone } from '../ui';

/** `full`: nothing is missing; `degraded`: it serves, without its reserve; `down`: nobody serves. */
export type Service = 'full' | 'moving' | 'degraded' | 'down' | 'unknown' | 'unconfigured';

/** A module on a node, as far as it matters here. */
export interface Placed {
  node: { name: string; reachable: boolean };
  module: Pick<ModuleOverview, 'mode' | 'configured' | 'role' | 'readiness' | 'degraded'>;
}

/** The application runs in these (ST-07). */
export function serves(role: ModuleRole): boolean {
  return role === 'PRIM' || role === 'ALONE' || role === 'UP';
}

export function serviceOf(on: Placed[]): Service {
  const configured = on.filter((x) => x.module.configured);
  if (configured.length === 0) return 'unconfigured';
  const heard = configured.filter((x) => x.node.reachable);
  if (heard.length === 0) return 'unknown';
  const running = heard.filter((x) => serves(x.module.role));
  const moving = heard.some((x) => x.module.readiness === 'Transient');
  // What moves may move because the node that is silent has failed, or may wait for it.
  if (running.length === 0) return heard.length < configured.length ? 'unknown' : moving ? 'moving' : 'down';
  if (!running.some((x) => x.module.readiness === 'Ready')) return 'moving';
  return whole(configured[0]!.module.mode, configured, heard) ? 'full' : 'degraded';
}

/** Every node does its part. */
function whole(mode: ModuleMode | null, configured: Placed[], heard: Placed[]): boolean {
  if (heard.length < configured.length) return false;
  const ready = (role: ModuleRole) => heard.some((x) => x.module.role === role && x.module.readiness === 'Ready');
  if (mode === 'mirror') return ready('PRIM') && ready('SECOND') && !heard.some((x) => x.module.degraded);
  return heard.every((x) => x.module.role === 'UP' && x.module.readiness === 'Ready');
}

export const SERVICE_TONE: Record<Service, Tone> = {
  full: 'good',
  moving: 'info',
  degraded: 'warning',
  down: 'bad',
  unknown: 'neutral',
  unconfigured: 'neutral',
};

export const SERVICE_ICON: Record<Service, IconName> = {
  full: 'shield',
  moving: 'refresh',
  degraded: 'warning',
  down: 'xCircle',
  unknown: 'help',
  unconfigured: 'settings',
};

export const READINESS_TONE: Record<Readiness, Tone> = { Ready: 'good', Transient: 'warning', NotReady: 'bad' };

export function stateIcon(role: ModuleRole, readiness: Readiness): IconName {
  if (readiness === 'Transient') return 'refresh';
  if (readiness === 'Ready') return 'checkCircle';
  return role === 'WAIT' ? 'wait' : 'power';
}

/** How much of a reintegration is done, in percent; null when nobody can say. */
export function percentOf(progress: Progress): number | null {
  const seen = progress.copied + progress.compared;
  if (progress.left === null || progress.rate === 0) {
    return progress.files_known > 0 ? Math.floor((100 * progress.files) / progress.files_known) : null;
  }
  const all = Math.max(1, seen + progress.left * progress.rate);
  return Math.min(99, Math.floor((100 * seen) / all));
}
