// What control commands do to the modules of the mock; each takes a second or two, as real ones do.

import type { ModuleRole, Outcome } from '../../src/api/types';
import type { MockCluster, MockModule, MockNode } from './cluster';
import { commandsOf, resourcesOf } from './modules';
import { bodyOf, json, problem, type Call } from './http';

const STEP_MS = 700;

export async function control(call: Call, m: MockModule): Promise<void> {
  const command = (await bodyOf<{ command: string }>(call)).command;
  const { cluster, node, user } = call;
  cluster.say(node, m, 'safekit', 'U', `Action ${command} called by ${user!.name}@10.0.0.5`);
  if (!commandsOf(m).includes(command)) {
    const errors = [`${command} is refused: module ${m.module} is ${m.role} (${m.readiness})`];
    cluster.command(node, `${user!.name}@10.0.0.5`, `${command} -m ${m.module}`, 1);
    return problem(call.res, 422, 'the command was refused', { detail: errors[0], output: errors, node: node.name });
  }
  cluster.command(node, `${user!.name}@10.0.0.5`, `${command} -m ${m.module}`);
  const done = () => json(call, { node: node.name, code: 0, output: [`${command} of module ${m.module}: done`], errors: [] } satisfies Outcome);
  const setting = /^(checker|failover) (on|off)$/.exec(command);
  if (setting) {
    const row = m.resources.find((r) => r.resource === `usersetting.${setting[1]}`);
    if (row) row.value = setting[2]!;
    cluster.changed(node);
    return done();
  }
  run(cluster, node, m, command);
  cluster.later(STEP_MS * 2, done);
}

function run(cluster: MockCluster, node: MockNode, m: MockModule, command: string): void {
  const other = [...cluster.nodes.values()].find((n) => n !== node && n.modules.has(m.module));
  const its = other?.modules.get(m.module);
  const later = (role: ModuleRole) => {
    cluster.state(node, m, role, 'Transient');
    cluster.later(STEP_MS, () => {
      cluster.state(node, m, role, role === 'STOP' || role === 'WAIT' ? 'NotReady' : 'Ready');
      settle(cluster, node, m);
    });
  };
  if (command === 'stop' || command === 'forcestop') later('STOP');
  else if (command === 'restart') later(m.role);
  else if (command === 'start' || command === 'stopstart') later(m.mode === 'mirror' ? (its && its.role === 'ALONE' ? 'SECOND' : 'ALONE') : 'UP');
  else if (command.startsWith('prim')) later('ALONE');
  else if (command.startsWith('second')) later('SECOND');
  else if (command.startsWith('swap') && other && its) {
    const [mine, theirs] = [m.role, its.role];
    cluster.state(node, m, theirs, 'Transient');
    cluster.state(other, its, mine, 'Transient');
    cluster.later(STEP_MS, () => {
      cluster.state(node, m, theirs, 'Ready');
      cluster.state(other, its, mine, 'Ready');
    });
  }
}

/** The other node of a mirror, and the shares of a farm, follow. */
function settle(cluster: MockCluster, node: MockNode, m: MockModule): void {
  if (m.mode === 'farm') return share(cluster, m.module);
  const other = [...cluster.nodes.values()].find((n) => n !== node && n.modules.has(m.module));
  const its = other?.modules.get(m.module);
  if (m.mode !== 'mirror' || !other || !its) return;
  if (m.role === 'STOP' && (its.role === 'PRIM' || its.role === 'SECOND')) cluster.state(other, its, 'ALONE', 'Ready');
  if (m.role === 'SECOND' && its.role === 'ALONE') cluster.state(other, its, 'PRIM', 'Ready');
}

function share(cluster: MockCluster, name: string): void {
  const on = [...cluster.nodes.values()].flatMap((node) => (node.modules.has(name) ? [{ node, module: node.modules.get(name)! }] : []));
  const up = on.filter((x) => x.module.role === 'UP').length;
  for (const { node, module } of on) {
    const percent = module.role === 'UP' ? Math.round(100 / up) : 0;
    module.shares = module.shares.map((s) => ({ ...s, percent }));
    module.resources = resourcesOf(module);
    cluster.changed(node);
  }
}
