// Routes of the configuration pages: cluster, templates, files of modules, deployment.

import type { Cluster, Holding, ModuleFile, NodeRow, Outcome } from '../../src/api/types';
import { nodeNames, readCluster } from '../../src/config/cluster';
import { fileAt, USERCONFIG } from '../../src/config/files';
import { readModule } from '../../src/config/module';
import { moduleFor } from './archive';
import type { MockModule, MockNode } from './cluster';
import { bodyOf, json, problem, rawOf, type Call, type Route } from './http';
import { configurationOf, date, delivered, faultsOf, filesOf, filesOn, filesSignature, install, signatureOf, TEMPLATES } from './state';

type Run = (call: Call) => void | Promise<void>;
type ModuleRun = (call: Call, module: MockModule) => void | Promise<void>;

const route = (method: string, pattern: string, run: Run, needs: Route['needs'] = 'Admin'): Route => ({ method, pattern, needs, run });

/** A route of a module that the node must have. */
const of = (method: string, pattern: string, run: ModuleRun): Route =>
  route(method, pattern, (call) => {
    const module = call.node.modules.get(call.params['module'] ?? '');
    if (!module) return problem(call.res, 404, 'no such module', { detail: `${call.params['module']} is not installed on ${call.node.name}` });
    return run(call, module);
  });

const wait = (call: Call): Promise<void> => new Promise((resolve) => call.cluster.later(configurationOf(call.cluster).delayMs, resolve));

/** How a command ends on a node. */
async function outcome(call: Call, node: MockNode, said: string[], effect: () => void): Promise<Outcome> {
  await wait(call);
  const why = node.reachable ? configurationOf(call.cluster).failing.get(node.name) : `no answer from ${node.address}:9010: connection timed out`;
  if (why) return { node: node.name, code: 1, output: said.slice(0, 1), errors: [why] };
  effect();
  call.cluster.changed(node);
  return { node: node.name, code: 0, output: said, errors: [] };
}

function clusterOf(call: Call): Cluster {
  const { applied, locked, xmlOn, xml: mine } = configurationOf(call.cluster);
  const xml = xmlOn.get(call.node.name) ?? mine;
  const at = applied.get(call.node.name)?.date ?? '';
  const signature = xml === null ? '' : signatureOf(xml);
  const nodes = xml === null ? [] : nodeNames(readCluster(xml));
  return { configured: xml !== null, xml: xml ?? '', signature, date: at, lock: locked, nodes, trouble: null };
}

/** The nodes with their addresses of cluster.xml and what each of them has applied. */
function rowsOf(call: Call): NodeRow[] {
  const { xml, applied, locked } = configurationOf(call.cluster);
  const lans = xml === null ? [] : readCluster(xml).list;
  return call.cluster.rows().map((row) => {
    const addresses = lans.flatMap((lan) =>
      lan.nodes.filter((node) => node.attrs.name === row.node).map((node) => ({ lan: lan.item.attrs.name ?? '', addr: node.attrs.addr ?? '' })));
    return { ...row, addresses, ...(applied.get(row.node) ?? { signature: '', date: '' }), lock: locked };
  });
}

/** The nodes of the text are those of the cluster now. */
function take(call: Call, xml: string): void {
  const { cluster } = call;
  const state = configurationOf(cluster);
  const form = readCluster(xml);
  for (const name of nodeNames(form)) {
    if (cluster.nodes.has(name)) continue;
    const addr = form.list.flatMap((lan) => lan.nodes).find((node) => node.attrs.name === name)?.attrs.addr ?? '';
    cluster.add(name, addr).reachable = state.hosts.has(addr);
  }
  for (const name of [...cluster.nodes.keys()]) if (!nodeNames(form).includes(name)) cluster.nodes.delete(name);
  state.xml = xml;
  cluster.signature = signatureOf(xml);
  cluster.name ||= 'Production';
}

const apply = (call: Call, name: string): void => {
  const { applied, xml, xmlOn } = configurationOf(call.cluster);
  xmlOn.delete(name);
  call.cluster.signatures.delete(name);
  applied.set(name, { signature: signatureOf(xml ?? ''), date: date().replace(' ', 'T') });
};

async function putCluster(call: Call): Promise<void> {
  const given = await bodyOf<{ xml: string; signature: string; nodes: string[] }>(call);
  if (given.nodes.length === 0) return problem(call.res, 400, 'no node is chosen');
  const state = configurationOf(call.cluster);
  const mine = state.xml === null ? '' : signatureOf(state.xml);
  if (given.signature !== mine) {
    return problem(call.res, 409, 'another configuration was applied meanwhile', { signature: mine, xml: state.xml, detail: 'compare it with yours, then apply again' });
  }
  const faults = faultsOf(given.xml, 'cluster.xml');
  if (faults.length > 0) return problem(call.res, 422, 'cluster.xml has errors', { faults });
  const result = await outcome(call, call.node, ['cluster.xml is correct', 'cluster configuration applied'], () => {
    take(call, given.xml);
    apply(call, call.node.name);
  });
  for (const node of call.cluster.nodes.values()) call.cluster.changed(node);
  json(call, { results: [result] });
}

/** What a node answers that holds what is not expected. */
const refused = (node: string, what: string, conflict: string): Outcome => ({
  node, code: 1, output: [], errors: [`${what} has changed meanwhile: look at what it is now, then change that; nothing was changed`], conflict,
});

async function deployCluster(call: Call): Promise<void> {
  const { nodes, expected } = await bodyOf<{ nodes: string[]; expected: Holding }>(call);
  const { applied, xml } = configurationOf(call.cluster);
  const results = nodes.map((name) => {
    const there = applied.get(name)?.signature ?? '';
    if (![...(expected[name] ?? []), signatureOf(xml ?? '')].includes(there)) return Promise.resolve(refused(name, 'the cluster configuration', there));
    return outcome(call, call.cluster.node(name), ['cluster configuration applied', 'cluster key installed'], () => apply(call, name));
  });
  json(call, { results: await Promise.all(results) });
}

async function probe(call: Call): Promise<void> {
  const { address } = await bodyOf<{ address: string }>(call);
  await wait(call);
  const hostname = configurationOf(call.cluster).hosts.get(address) ?? null;
  json(call, hostname ? { reachable: true, hostname, version: '0.1.0', error: null } : { reachable: false, hostname: null, version: null, error: `no answer from ${address}:9010 in 5 s` });
}

async function removeCluster(call: Call): Promise<void> {
  const names = (call.query.get('nodes') ?? '').split(',');
  const results = names.map((name) => outcome(call, call.cluster.node(name), ['cluster deconfigured'], () => {
    configurationOf(call.cluster).applied.delete(name);
    if (name === call.cluster.here) configurationOf(call.cluster).xml = null;
  }));
  json(call, { results: await Promise.all(results) });
}

async function create(call: Call): Promise<void> {
  const { module, template } = await bodyOf<{ module: string; template: string }>(call);
  if (call.node.modules.has(module)) return problem(call.res, 409, 'the module is there already', { detail: `${module} is installed on ${call.node.name}` });
  const row = TEMPLATES.find((one) => one.file === template);
  if (!row) return problem(call.res, 404, 'no such template', { detail: template });
  await wait(call);
  const source = row.kind === 'backup' ? 'mirror' : row.name;
  configurationOf(call.cluster).files.set(module, delivered(source));
  install(call.node, module, call.node.modules.size + 1, row.mode);
  call.cluster.changed(call.node);
  json(call, { module }, 201);
}

async function upload(call: Call): Promise<void> {
  const name = call.params['module']!;
  const bytes = await rawOf(call);
  if (bytes.subarray(0, 2).toString() !== 'PK') return problem(call.res, 422, 'not a .safe', { detail: 'the file is no zip archive' });
  await wait(call);
  const state = configurationOf(call.cluster);
  state.files.set(name, delivered('mirror'));
  const there = call.node.modules.get(name) ?? install(call.node, name, call.node.modules.size + 1, 'mirror');
  there.current = { signature: filesSignature(call.cluster, name, state.files.get(name)!), date: Math.floor(Date.now() / 1000) };
  call.cluster.changed(call.node);
  json(call, { module: name }, 201);
}

const signed = (call: Call, module: MockModule, files: ModuleFile[]): string => filesSignature(call.cluster, module.module, files);

async function putFiles(call: Call, module: MockModule): Promise<void> {
  const given = await bodyOf<{ signature: string; files: ModuleFile[] }>(call);
  const files = filesOn(call.cluster, call.node, module);
  const now = signed(call, module, files);
  if (given.signature !== now) {
    return problem(call.res, 409, 'the module was changed meanwhile', { signature: now, files, detail: 'compare the files with yours, then save again' });
  }
  const state = configurationOf(call.cluster);
  if (call.node.name === call.cluster.here) state.files.set(module.module, given.files);
  else state.elsewhere.set(`${call.node.name}/${module.module}`, given.files);
  const signature = signed(call, module, given.files);
  module.current = { signature, date: Math.floor(Date.now() / 1000) };
  call.cluster.changed(call.node);
  if (state.lost > 0) {
    state.lost -= 1;
    // In its midst: a browser asks by itself once more when nothing at all has come.
    call.res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 });
    return void call.res.write('{', () => call.req.socket.destroy());
  }
  json(call, { signature });
}

async function check(call: Call, module: MockModule): Promise<void> {
  const { userconfig } = await bodyOf<{ userconfig?: string }>(call);
  if (userconfig === undefined) await wait(call);
  const text = userconfig ?? fileAt(filesOf(call.cluster, module), USERCONFIG)?.text ?? '';
  const faults = faultsOf(text, 'userconfig.xml');
  json(call, { faults, output: userconfig === undefined && faults.length === 0 ? [`module ${module.module}: the configuration is correct`] : [] });
}

/** The configuration of the connection node becomes active on a node. */
function configure(call: Call, node: MockNode, source: MockModule): Promise<Outcome> {
  const text = fileAt(filesOf(call.cluster, source), USERCONFIG)?.text ?? '';
  const there = node.modules.get(source.module);
  if (there && there.role !== 'STOP') {
    return outcome(call, node, [], () => {}).then((end) => ({ ...end, code: 1, output: [], errors: [`module ${source.module} is ${there.role}: stop it before it is configured`] }));
  }
  const errors = faultsOf(text, 'userconfig.xml');
  if (errors.length > 0) return Promise.resolve({ node: node.name, code: 1, output: [], errors: errors.map((f) => `${f.file}:${f.line}: <${f.tag}>: ${f.what}`) });
  return outcome(call, node, [`module ${source.module}: configuration checked`, `module ${source.module}: configuration applied`], () => {
    const made = there ?? install(node, source.module, source.id, source.mode);
    const stamp = { signature: signed(call, source, filesOf(call.cluster, source)), date: Math.floor(Date.now() / 1000) };
    const keys = source.saved_key !== 'none';
    for (const module of [source, made]) if (keys) module.saved_key = 'active';
    configurationOf(call.cluster).elsewhere.delete(`${node.name}/${source.module}`);
    Object.assign(made, { configured: true, active: stamp, current: stamp, encrypted: keys, saved_key: source.saved_key, mode: readModule(text).mode, since: date() });
  });
}

/** Whether what is meant is still what the connection node has; a conflict otherwise. */
function meant(call: Call, module: MockModule, signature: string | null | undefined): boolean {
  const files = filesOf(call.cluster, module);
  const now = signed(call, module, files);
  if (!signature || signature === now) return true;
  problem(call.res, 409, 'the module was changed meanwhile', { signature: now, files });
  return false;
}

async function deploy(call: Call, module: MockModule): Promise<void> {
  const { nodes, signature, expected } = await bodyOf<{ nodes: string[]; signature: string; expected: Holding }>(call);
  if (!meant(call, module, signature)) return;
  const give = (name: string): Promise<Outcome> => {
    const node = call.cluster.node(name);
    const there = node.modules.has(module.module) ? signed(call, module, filesOn(call.cluster, node, module)) : '';
    const known = [...(expected[name] ?? []), signed(call, module, filesOf(call.cluster, module))];
    return known.includes(there) ? configure(call, node, module) : Promise.resolve(refused(name, `module ${module.module}`, there));
  };
  json(call, { results: await Promise.all(nodes.map(give)) });
}

const key = (on: boolean): ModuleRun => async (call, module) => {
  if (!meant(call, module, call.query.get('signature'))) return;
  const { keys } = configurationOf(call.cluster);
  const done = await outcome(call, call.node, [on ? 'module keys made' : 'module keys removed'], () => {
    module.saved_key = on ? 'new' : 'none';
    keys.set(module.module, (keys.get(module.module) ?? 0) + 1);
  });
  json(call, { ...done, signature: signed(call, module, filesOf(call.cluster, module)) });
};

export const configurationRoutes: Route[] = [
  route('GET', '/nodes', (call) => json(call, rowsOf(call)), 'Monitor'),
  route('GET', '/cluster', (call) => json(call, clusterOf(call))),
  route('PUT', '/cluster', putCluster),
  route('POST', '/cluster/check', async (call) => json(call, { faults: faultsOf((await bodyOf<{ xml: string }>(call)).xml, 'cluster.xml') })),
  route('POST', '/cluster/probe', probe),
  route('POST', '/cluster/deploy', deployCluster),
  route('DELETE', '/cluster', removeCluster),
  route('GET', '/templates', (call) => json(call, TEMPLATES)),
  route('GET', '/configurations', (call) => json(call, configurationOf(call.cluster).kept)),
  route('POST', '/modules', create),
  route('PUT', '/modules/:module/archive', upload),
  of('GET', '/modules/:module/archive', (call, module) => {
    call.res.writeHead(200, { 'Content-Type': 'application/zip', 'Content-Disposition': `attachment; filename="${module.module}.safe"` });
    call.res.end(moduleFor(filesOf(call.cluster, module)));
  }),
  of('GET', '/modules/:module/files', (call, module) => {
    const files = filesOn(call.cluster, call.node, module);
    json(call, { signature: signed(call, module, files), files });
  }),
  of('PUT', '/modules/:module/files', putFiles),
  of('POST', '/modules/:module/check', check),
  of('POST', '/modules/:module/config', async (call, module) => {
    if (meant(call, module, call.query.get('signature'))) json(call, await configure(call, call.node, module));
  }),
  of('POST', '/modules/:module/deploy', deploy),
  of('POST', '/modules/:module/key', key(true)),
  of('DELETE', '/modules/:module/key', key(false)),
  of('GET', '/modules/:module/configurations/:name', (call, module) => {
    const files = delivered(module.mode ?? 'mirror').map((file) => (file.path === USERCONFIG ? { ...file, text: file.text!.replace('maxloop="3"', 'maxloop="7"') } : file));
    json(call, { signature: null, files });
  }),
  of('DELETE', '/modules/:module/config', async (call, module) =>
    json(call, await outcome(call, call.node, [`module ${module.module} deconfigured`], () => void Object.assign(module, { configured: false, active: null })))),
  of('DELETE', '/modules/:module', async (call, module) =>
    json(call, await outcome(call, call.node, [`module ${module.module} uninstalled`, `backup: Application_Modules/backup/${module.module}.safe`], () => void call.node.modules.delete(module.module)))),
];
