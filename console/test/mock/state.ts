// What the mock knows beside the modules: the configuration of the cluster, files, keys, templates.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ConfigurationRow, ModuleFile, ModuleMode, TemplateRow } from '../../src/api/types';
import { FIELDS } from '../../src/config/fields';
import { invalid } from '../../src/config/validate';
import * as xml from '../../src/config/xml';
import { en } from '../../src/i18n/en';
import { date, MockCluster, type MockModule, type MockNode } from './cluster';
import { resourcesOf } from './modules';

/** Repository directory of the modules that are delivered. */
const MODULES = new URL('../../../conf/modules/', import.meta.url);

export const signatureOf = (text: string): string => createHash('md5').update(text).digest('hex');

/** The files of a delivered module. */
export function delivered(name: string): ModuleFile[] {
  const root = new URL(`${name}/`, MODULES);
  return (readdirSync(root, { recursive: true }) as string[])
    .filter((path) => statSync(new URL(path, root)).isFile())
    .sort()
    .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8'), base64: null, executable: path.startsWith('bin/') }));
}

export const TEMPLATES: TemplateRow[] = [
  { name: 'mirror', kind: 'main', file: 'generic/mirror.safe', mode: 'mirror', description: 'The application runs on the primary node, with replicated directories and a virtual IP address.' },
  { name: 'farm', kind: 'main', file: 'generic/farm.safe', mode: 'farm', description: 'The application runs on all nodes; clients of one virtual IP address are shared between them.' },
  { name: 'light', kind: 'main', file: 'generic/light.safe', mode: 'light', description: 'Supervision of an application on one node.' },
  { name: 'apache_farm', kind: 'main', file: 'demo/apache_farm.safe', mode: 'farm', description: 'An Apache web server on all nodes behind one virtual IP address.' },
  { name: 'crm_2026-02-19_101112', kind: 'backup', file: 'backup/crm_2026-02-19_101112.safe', mode: 'mirror', description: '' },
  { name: 'customchecker', kind: 'other', file: 'other/customchecker.safe', mode: 'mirror', description: 'How to watch anything with a program of your own.' },
  { name: 'notification', kind: 'other', file: 'other/notification.safe', mode: 'mirror', description: 'A mail at the main state changes of a module.' },
];

export const CLUSTER_XML = `<?xml version="1.0"?>
<!-- The production cluster: two networks, so that a cut cable isolates nobody. -->
<cluster>
  <lans>
    <lan name="default">
      <node name="node1" addr="10.0.0.107"/>
      <node name="node2" addr="10.0.0.108"/>
      <node name="node3" addr="10.0.0.109"/>
    </lan>
    <lan name="private">
      <node name="node1" addr="10.1.0.107"/>
      <node name="node2" addr="10.1.0.108"/>
      <node name="node3" addr="10.1.0.109"/>
    </lan>
  </lans>
</cluster>
`;

export interface Configuration {
  xml: string | null;
  /** Signature and date on each node. */
  applied: Map<string, { signature: string; date: string }>;
  locked: boolean;
  /** Host names of servers by address. */
  hosts: Map<string, string>;
  /** Files of each module as the connection node has them. */
  files: Map<string, ModuleFile[]>;
  /** Files of modules on nodes that hold others, by `node/module`. */
  elsewhere: Map<string, ModuleFile[]>;
  /** cluster.xml of nodes that have another one. */
  xmlOn: Map<string, string>;
  /** How often the keys of a module were changed. */
  keys: Map<string, number>;
  /** Answers to saved files that get lost. */
  lost: number;
  kept: ConfigurationRow[];
  /** How long a command takes. */
  delayMs: number;
  /** Commands that fail on a node: its last words. */
  failing: Map<string, string>;
}

const known = new WeakMap<MockCluster, Configuration>();

/** The configuration of a cluster; tests change it as they like. */
export function configurationOf(cluster: MockCluster): Configuration {
  let found = known.get(cluster);
  if (!found) {
    found = first(cluster);
    known.set(cluster, found);
  }
  return found;
}

function first(cluster: MockCluster): Configuration {
  const configured = cluster.rows().length > 0;
  const stamp = { signature: signatureOf(CLUSTER_XML), date: '2026-03-02T10:12:45' };
  if (configured) cluster.signature = stamp.signature;
  return {
    xml: configured ? CLUSTER_XML : null,
    applied: new Map(configured ? [...cluster.nodes.keys()].map((name) => [name, stamp]) : []),
    locked: false,
    hosts: new Map([
      ...[...cluster.nodes.values()].map((node): [string, string] => [node.address, `${node.name}.example.com`]),
      ['10.1.0.107', 'node1.example.com'],
      ['10.1.0.108', 'node2.example.com'],
    ]),
    files: new Map(),
    elsewhere: new Map(),
    xmlOn: new Map(),
    keys: new Map(),
    lost: 0,
    kept: ['2026-02-03_174020', '2026-02-19_101112', '2026-03-02_101245'].map((at) => ({
      module: 'postgresql', name: `postgresql_${at}`, date: `${at.slice(0, 10)} ${at.slice(11, 13)}:${at.slice(13, 15)}:${at.slice(15)}`,
    })),
    delayMs: 500,
    failing: new Map(),
  };
}

/** The files of a module; those of the template of its mode at first. */
export function filesOf(cluster: MockCluster, module: MockModule): ModuleFile[] {
  const { files } = configurationOf(cluster);
  const now = files.get(module.module) ?? delivered(module.module === 'notification' ? 'light' : (module.mode ?? 'mirror'));
  files.set(module.module, now);
  return now;
}

/** The files of a module on a node. */
export function filesOn(cluster: MockCluster, node: MockNode, module: MockModule): ModuleFile[] {
  return configurationOf(cluster).elsewhere.get(`${node.name}/${module.module}`) ?? filesOf(cluster, module);
}

/** The signature of files of a module, with its keys. */
export function filesSignature(cluster: MockCluster, module: string, files: ModuleFile[]): string {
  const keys = configurationOf(cluster).keys.get(module);
  return signatureOf(JSON.stringify(files) + (keys ? ` ${keys}` : ''));
}

/** A module that was just installed. */
export function install(node: MockNode, name: string, id: number, mode: ModuleMode | null): MockModule {
  const made: MockModule = {
    module: name, id, mode, configured: false, role: 'STOP', readiness: 'NotReady', remote: null, since: '', reason: null, uptodate: null, degraded: false,
    shares: [], progress: null, encrypted: false, saved_key: 'none', boot: 'off', active: null, current: { signature: '00', date: Math.floor(Date.now() / 1000) },
    starts: 0, resources: [], log: [], reasons: [], advice: [],
  };
  made.resources = resourcesOf(made);
  node.modules.set(name, made);
  return made;
}

/** The faults of a text, as the parser of the server would tell them. */
export function faultsOf(text: string, file: string) {
  const fault = (line: number, tag: string, attribute: string | null, value: string | null, what: string) => ({
    file, line, tag, attribute, value, what, warning: false,
  });
  try {
    return [...walk(xml.parse(text), '')].flatMap(({ element, group }) =>
      (FIELDS[group] ?? []).flatMap((spec) => {
        const found = element.attrs.find((a) => a.name === spec.name);
        const wrong = invalid(spec, found?.value);
        if (!wrong) return [];
        if (!found) return [fault(element.line, element.name, null, null, `attribute ${spec.name} is missing`)];
        const what = fill(en[wrong.key], 'values' in wrong ? wrong.values : {});
        return [fault(found.line, element.name, spec.name, found.value, what)];
      }),
    );
  } catch (error) {
    const { line, message } = error as xml.XmlFault;
    return [fault(line, '', null, null, message)];
  }
}

const fill = (text: string, values: object): string => text.replace(/\{(\w+)\}/g, (_, name: string) => String((values as Record<string, unknown>)[name]));

function* walk(element: xml.XElement, parent: string): Generator<{ element: xml.XElement; group: string }> {
  const group = element.name === 'to' ? `${parent}.to` : element.name;
  yield { element, group };
  for (const inner of xml.elements(element)) yield* walk(inner, element.name);
}

/** Servers on which nothing is configured. */
export class FreshCluster extends MockCluster {
  constructor() {
    super();
    this.name = '';
    this.add('node1', '10.0.0.107');
  }

  private get configured(): boolean {
    return known.get(this)?.xml != null;
  }

  override rows() {
    return this.configured ? super.rows() : [];
  }

  override overview(node: MockNode) {
    const shown = super.overview(node);
    return this.configured ? shown : { ...shown, node: null, cluster: null };
  }

  override event(node: MockNode) {
    const event = super.event(node);
    return this.configured ? event : { ...event, node: '' };
  }
}

/** Two servers, of which the second is not in a cluster yet. */
export function fresh(): MockCluster {
  const cluster = new FreshCluster();
  configurationOf(cluster).hosts.set('10.0.0.108', 'node2.example.com');
  return cluster;
}

export { date };
