import type { Mode } from '../../../config/module';
import { t } from '../../../i18n';
import { here, moduleOn, nodes } from '../../../state/cluster';

export interface Target {
  node: string;
  /** The connection node, which always takes part. */
  mandatory: boolean;
  /** It has the module. */
  installed: boolean;
  /** Another configuration is applied there than on the connection node. */
  other: boolean;
  /** Why nothing can be applied there now (W-3b). */
  why: string | null;
  /** What the connection node says of one that does not answer. */
  detail?: string | undefined;
}

/** Most nodes of a mirror. */
export const MIRROR_NODES = 2;

/** Where a module can be applied, as it is now. */
export function targets(module: string): Target[] {
  const mine = moduleOn(module, here.value ?? '')?.module?.active?.signature ?? null;
  return nodes.value.map((view) => {
    const on = view.overview?.modules.find((m) => m.module === module);
    const stopped = !on || on.role === 'STOP';
    const other = on?.active != null && mine !== null && on.active.signature !== mine;
    const why = !view.reachable ? t('modules.why.unreachable') : stopped ? null : t('modules.why.running', { role: on.role });
    return { node: view.name, mandatory: view.name === here.value, installed: on !== undefined, other, why, detail: view.error ?? undefined };
  });
}

/** Nodes that are proposed: those which have the module, else as many as its mode has. */
export function proposed(all: Target[], mode: Mode | null): string[] {
  const mine = all.filter((target) => target.mandatory).map((target) => target.node);
  const others = all.filter((target) => !target.mandatory);
  const installed = others.filter((target) => target.installed).map((target) => target.node);
  if (installed.length > 0 || mode === 'light') return [...mine, ...installed];
  const rest = others.map((target) => target.node);
  return [...mine, ...(mode === 'mirror' ? rest.slice(0, MIRROR_NODES - mine.length) : rest)];
}
