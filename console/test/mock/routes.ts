// Routes of the monitoring pages.

import type { HistoryRow, LogLine, StateReport } from '../../src/api/types';
import { control } from './control';
import { date, type MockModule, type MockNode } from './cluster';
import { bodyOf, events, json, problem, type Call, type Route } from './http';

/** Routes of one module: 404 when the node does not have it. */
function of(run: (call: Call, module: MockModule) => void | Promise<void>): (call: Call) => void | Promise<void> {
  return (call) => {
    const module = call.node.modules.get(call.params['module'] ?? '');
    if (!module) return problem(call.res, 404, 'no such module', { detail: `${call.params['module']} is not installed on ${call.node.name}` });
    return run(call, module);
  };
}

const get = (pattern: string, run: Route['run'], needs: Route['needs'] = 'Monitor'): Route => ({ method: 'GET', pattern, needs, run });

const text = (call: Call, body: string): void => void call.res.end(body);

function stateOf(m: MockModule): StateReport {
  const { module, role, readiness, remote, since, reason, resources } = m;
  return { module, mode: m.mode ?? '', role, readiness, remote, since, reason, resources, script: null };
}

function logOf(m: MockModule, query: URLSearchParams): LogLine[] {
  const before = Number(query.get('before') ?? Infinity);
  const levels = query.get('levels')?.split(',') ?? (query.get('all') === 'true' ? [...'CEUSWID'] : [...'CEUS']);
  const words = (query.get('text') ?? '').toLowerCase().split(/\s+/);
  const has = (l: LogLine) => words.every((word) => `${l.origin} ${l.text}`.toLowerCase().includes(word));
  const shown = m.log.filter((l) => l.id < before && levels.includes(l.level) && has(l));
  return shown.slice(-Number(query.get('count') ?? 1000));
}

/** Values of the last hour, the newest last. */
function historyOf(m: MockModule, name: string): HistoryRow[] {
  const now = m.resources.find((r) => r.resource === name);
  if (!now) return [];
  const rates = name.endsWith('_bandwidth');
  if (name === 'rfs.rei_bandwidth' && !m.progress) return [{ date: date(), micros: Date.now() * 1000, value: '0' }];
  const count = rates ? 60 : 7;
  const values = Array.from({ length: count }, (_, i): HistoryRow => {
    const at = Date.now() - (count - i) * (rates ? 10_000 : 540_000);
    const wave = Math.round(900 * Math.sin(i / 5) + 300 * Math.sin(i * 1.7));
    const rate = name === 'rfs.rei_bandwidth' ? 47_000 + 4 * wave : 1800 + wave;
    return { date: date(at), micros: at * 1000, value: rates ? String(rate) : i % 3 === 1 ? 'down' : 'up' };
  });
  return [...values, { date: date(), micros: Date.now() * 1000, value: now.value }];
}

export const moduleRoutes: Route[] = [
  get('/level', (call) => json(call, { host: `${call.node.name}.example.com`, os: 'Debian GNU/Linux 12', safekit: 'SafeKit 0.1.0', license: 'Demo, 3 days after each start', module: null })),
  get('/overview', (call) => json(call, call.cluster.overview(call.node))),
  get('/modules', (call) => json(call, call.cluster.overview(call.node).modules)),
  get('/commands', (call) => json(call, call.node.commands.slice(-Number(call.query.get('count') ?? 500)))),
  get('/access', (call) => json(call, { method: 'file', users: [{ name: 'admin', role: 'Admin' }, { name: 'operator', role: 'Control' }, { name: 'observer', role: 'Monitor' }], problems: [], token_days: call.cluster.tokenDays }), 'Admin'),
  get('/certificate', (call) => json(call, certificateOf(call))),
  get('/tokens', (call) => json(call, tokens), 'Admin'),
  {
    method: 'POST', pattern: '/tokens', needs: 'Admin',
    run: async (call) => {
      const { name, role, days } = await bodyOf<{ name: string; role: 'Monitor'; days: number }>(call);
      tokens.push({ name, role, maker: { user: 'admin', method: 'file' }, works: true, created: date(), expires: date(Date.now() + days * 86_400_000) });
      json(call, { token: 'skt_6pQ0m3dXbV8sJ4yWc2uLr9Zt1HnKf7Ga' }, 201);
    },
  },
  {
    method: 'DELETE', pattern: '/tokens', needs: 'Admin',
    run: (call) => {
      tokens.splice(0, tokens.length, ...tokens.filter((t) => t.name !== call.query.get('name')));
      call.res.writeHead(204).end();
    },
  },
  get('/events', clusterEvents),
  get('/modules/:module/state', of((call, m) => json(call, stateOf(m)))),
  get('/modules/:module/explain', of((call, m) => json(call, { module: m.module, state: `${m.role} ${m.readiness}`, since: m.since, reasons: m.reasons, advice: m.advice }))),
  get('/modules/:module/events', of(stateEvents)),
  get('/modules/:module/resources/:name/history', of((call, m) => json(call, historyOf(m, call.params['name']!)))),
  get('/modules/:module/log', of((call, m) => json(call, logOf(m, call.query)))),
  get('/modules/:module/log.txt', of((call, m) => text(call, m.log.map((l) => `| ${l.date} | ${l.origin} | ${l.level} | ${l.text}`).join('\n')))),
  get('/modules/:module/log/events', of(logEvents)),
  get('/modules/:module/userlogs', of((call, m) => json(call, m.log.filter((l) => l.level === 'S').map((l) => ({ name: l.text.split(' > ')[1], size: 212, date: l.date }))))),
  get('/modules/:module/userlogs/:name', of((call) => text(call, USERLOG))),
  get('/modules/:module/ports', of((call) => json(call, PORTS))),
  get('/modules/:module/confinfo', of((call, m) => json(call, { active: m.active, current: m.current }))),
  get('/modules/:module/rescue', of((call, m) => json(call, m.module === 'postgresql' ? RESCUE : []))),
  get('/modules/:module/farm/owner', of(owner)),
  { method: 'POST', pattern: '/modules/:module/commands', needs: 'Control', run: of(control) },
];

const tokens = [{ name: 'backup-script', role: 'Monitor' as const, maker: { user: 'admin', method: 'file' }, works: true, created: '2026-02-11 09:14:00', expires: '2027-02-11 09:14:00' }];

const USERLOG = `----- 2026-03-02T10:14:10 start_prim
"Running start_prim WAIT ALONE"
waiting for server to start.... done
server started
postgresql accepts connections on 10.0.0.228:5432
`;

const PORTS = [
  { process: 'heart', name: 'port', protocol: 'UDP', port: 8888 },
  { process: 'rfsbox', name: 'safenfs_port', protocol: 'TCP', port: 5600 },
];

const RESCUE = [
  { name: '2026-02-27T03:12:44', header: { began: '2026-02-27T03:12:44', why: 'split_brain', node: 1, dirs: ['/var/lib/postgresql'], open: false }, files: 12, bytes: 3_400_000, left_out: 0, read: false },
];

const ENDING = {
  en: 'the certificate of the web service expires in 12 days: make a new one with initssl, or install that of your own certification authority',
  fr: 'le certificat du service web expire dans 12 jours : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification',
};

function certificateOf(call: Call) {
  if (!call.settings.https) {
    return { https: false, subject: null, issuer: null, names: [], not_before: null, not_after: null, days_left: null, warning: null };
  }
  const ending = call.settings.ending === call.node.name;
  return {
    https: true, subject: `CN=${call.node.name}.example.com`, issuer: 'CN=SafeKit CA', names: [`${call.node.name}.example.com`, call.node.address],
    not_before: '2026-03-01 00:00:00', not_after: ending ? '2026-03-14 00:00:00' : '2046-02-24 00:00:00', days_left: ending ? 12 : 7292,
    warning: ending ? ENDING[call.req.headers['accept-language'] === 'fr' ? 'fr' : 'en'] : null,
  };
}

function owner(call: Call, m: MockModule): void {
  const client = call.query.get('client') ?? '';
  if (!/^[\d.]+$|:/.test(client)) return problem(call.res, 400, 'bad address', { detail: `${client} is not an IP address` });
  const last = Number(client.split('.').at(-1) ?? 0);
  const names = [...call.cluster.nodes.keys()];
  json(call, [{ group: m.shares[0]?.group ?? '', virtual_addr: '10.0.0.240', port: '80', proto: 'tcp', filter: 'on_addr', bucket: last % 256, node: names[last % names.length], established: null, unknown: null }]);
}

function clusterEvents(call: Call): void {
  const listener = (node: MockNode) => send('node', call.cluster.event(node));
  const send = events(call, () => call.cluster.listeners.delete(listener));
  call.cluster.listeners.add(listener);
  for (const node of call.cluster.nodes.values()) listener(node);
}

function stateEvents(call: Call, m: MockModule): void {
  const listener = (node: MockNode) => node === call.node && send('state', stateOf(m));
  const send = events(call, () => call.cluster.listeners.delete(listener));
  call.cluster.listeners.add(listener);
  send('state', stateOf(m));
}

function logEvents(call: Call, m: MockModule): void {
  const all = call.query.get('all') === 'true';
  const listener = (_node: MockNode, module: MockModule, line: LogLine) => {
    if (module === m && (all || 'CEUS'.includes(line.level))) send('log', [line]);
  };
  const send = events(call, () => call.cluster.logListeners.delete(listener));
  call.cluster.logListeners.add(listener);
}
