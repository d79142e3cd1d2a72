// The clusters that the mock begins with.

import type { ModuleMode, ModuleRole, Readiness } from '../../src/api/types';
import { date, MockCluster, type MockModule, type MockNode } from './cluster';
import { resourcesOf } from './modules';

const ID: Record<string, number> = { postgresql: 1, web: 2, files: 3, notification: 4 };

function module(node: MockNode, name: string, mode: ModuleMode, role: ModuleRole, readiness: Readiness, more: Partial<MockModule> = {}): MockModule {
  const stamp = { signature: 'a1f2c3d4e5b60718293a4b5c6d7e8f90', date: 1772443965 };
  const made: MockModule = {
    module: name, id: ID[name] ?? 9, mode, configured: true, role, readiness, remote: null,
    since: date(Date.now() - 3 * 3600_000), reason: null, uptodate: mode === 'mirror' ? true : null, degraded: false, shares: [], progress: null, encrypted: true, saved_key: 'active', boot: 'on',
    active: stamp, current: stamp, starts: 1, resources: [], log: [], reasons: [], advice: [], ...more,
  };
  made.resources = resourcesOf(made);
  node.modules.set(name, made);
  return made;
}

/** Three nodes: two mirrors, of which one reintegrates, a farm, and a light module that waits. */
export function production(): MockCluster {
  const cluster = new MockCluster();
  const [n1, n2, n3] = [cluster.add('node1', '10.0.0.107'), cluster.add('node2', '10.0.0.108'), cluster.add('node3', '10.0.0.109')];
  const p = module(n1, 'postgresql', 'mirror', 'PRIM', 'Ready', { remote: 'SECOND Ready' });
  const s = module(n2, 'postgresql', 'mirror', 'SECOND', 'Ready', { remote: 'PRIM Ready' });
  const shares = [[50, n1], [25, n2], [25, n3]] as const;
  for (const [percent, node] of shares) module(node, 'web', 'farm', 'UP', 'Ready', { shares: [{ group: 'FarmProto', percent }] });
  module(n2, 'files', 'mirror', 'ALONE', 'Ready', { remote: 'SECOND Transient', since: date(Date.now() - 190_000) });
  module(n3, 'files', 'mirror', 'SECOND', 'Transient', {
    remote: 'ALONE Ready', since: date(Date.now() - 42_000), reason: 'reintegration of /srv/files',
    uptodate: false,
    progress: { text: '1204/3310 files', files: 1204, files_known: 3310, copied: 9_400_000_000, compared: 22_000_000_000, rate: 98_700_000, left: 170 },
    reasons: ['the replicated directories are being reintegrated from node2'],
    advice: ['wait for the end of the reintegration; it is 65 % done'],
  });
  module(n1, 'notification', 'light', 'WAIT', 'NotReady', {
    since: date(Date.now() - 11 * 60_000), reason: 'rule c_checkfile: custom.checkfile is down since 14:02:10',
    reasons: ['the failover rule c_checkfile holds the module in WAIT: custom.checkfile is down', 'the checker reports: /srv/spool/ready is missing'],
    advice: ['repair what the checker custom.checkfile tests; the module wakes up by itself'],
  });
  history(cluster, n1, p, 'PRIM');
  history(cluster, n2, s, 'SECOND');
  for (const node of cluster.nodes.values()) {
    cluster.command(node, 'admin@10.0.0.5', 'start -m web');
    for (const m of node.modules.values()) if (m.log.length === 0) brief(cluster, node, m);
  }
  cluster.command(n1, 'admin@10.0.0.5', 'prim -m postgresql');
  return cluster;
}

/** A log like that of a first start. */
function history(cluster: MockCluster, node: MockNode, m: MockModule, role: 'PRIM' | 'SECOND'): void {
  let at = Date.now() - 3 * 3600_000;
  const say = (origin: string, level: 'C' | 'E' | 'U' | 'S' | 'W' | 'I' | 'D', text: string, after = 40) => {
    at += after;
    cluster.say(node, m, origin, level, text, at);
  };
  say('safekit', 'U', `Action ${role === 'PRIM' ? 'prim' : 'second'} called by admin@10.0.0.5`);
  say('heart', 'I', 'configuration a1f2c3d4, module key present');
  say('heart', 'E', 'Local state WAIT Transient');
  say('script', 'S', `Script prestart "start" > userlog_${date(at).replace(' ', 'T').replaceAll(':', '')}_prestart.ulog`, 300);
  say('heart', 'E', 'Resource heartbeat.default set to up by heart', 1200);
  say('heart', 'W', 'Local internal state WAIT_START');
  say('heart', 'E', role === 'PRIM' ? 'Local state ALONE Transient' : 'Remote state ALONE Ready', 800);
  if (role === 'PRIM') {
    say('vip', 'I', 'set 10.0.0.228/24 on eth0, announced');
    say('script', 'S', `Script start_prim "WAIT" "ALONE" > userlog_${date(at).replace(' ', 'T').replaceAll(':', '')}_start_prim.ulog`, 30);
    say('heart', 'E', 'Local state ALONE Ready', 4000);
    say('heart', 'C', 'Resource custom.checkfile set to down by custom', 9000);
    say('heart', 'E', 'Resource custom.checkfile set to up by custom', 20_000);
    say('heart', 'E', 'Remote state SECOND Transient', 30_000);
    say('rfs', 'I', 'zones of /var/lib/postgresql asked by node2: 412');
  } else {
    say('rfs', 'E', 'Begin of reintegration of /var/lib/postgresql', 100);
    say('rfs', 'I', '412 zones of 64 KiB to copy');
    say('rfs', 'E', 'End of reintegration of /var/lib/postgresql: 25.8 MB in 2 s', 2300);
  }
  say('heart', 'E', role === 'PRIM' ? 'Remote state SECOND Ready' : 'Local state SECOND Ready', 60);
  say('heart', 'W', 'Local internal state ALONE_TO_PRI_2', 2);
  say('heart', 'E', role === 'PRIM' ? 'Local state PRIM Ready' : 'Remote state PRIM Ready', 30);
}

function brief(cluster: MockCluster, node: MockNode, m: MockModule): void {
  const at = Date.now() - 3 * 3600_000;
  cluster.say(node, m, 'safekit', 'U', 'Action start called by admin@10.0.0.5', at);
  cluster.say(node, m, 'heart', 'I', 'configuration read', at + 20);
  cluster.say(node, m, 'heart', 'E', `Local state ${m.role} ${m.readiness}`, at + 2100);
  if (m.reason) cluster.say(node, m, 'heart', 'C', `Action wait from failover rule c_checkfile`, at + 9000);
}

/** As many modules on as many nodes: for measurements. */
export function large(modules: number, nodes: number): MockCluster {
  const cluster = new MockCluster();
  for (let n = 1; n <= nodes; n++) {
    const node = cluster.add(`node${n}`, `10.0.0.${100 + n}`);
    for (let m = 1; m <= modules; m++) module(node, `module${m}`, 'farm', 'UP', 'Ready', { id: m, shares: [{ group: 'FarmProto', percent: Math.floor(100 / nodes) }] });
  }
  return cluster;
}
