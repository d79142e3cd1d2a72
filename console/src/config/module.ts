/**
 * userconfig.xml for the form of the module wizard (spec CFG-GEN to CFG-MOD). `readModule` tells what
 * the file holds, and each function after it makes one change of the form in the text.
 */
import { type Item, type Place, addItem, around, elementAt, item, itemsIn, removeItem, setAttr, snippet } from './item';
import * as xml from './xml';

export { type Item, type Place, removeItem, setAttr } from './item';

export type Mode = 'mirror' | 'farm' | 'light';

/** How the addresses of an interface answer (CFG-VIP-07, CFG-VIP-08). */
export type InterfaceKind = 'real' | 'vmac_directed' | 'vmac_invisible';

export interface Interface {
  item: Item;
  /** `<real_interface>` or `<virtual_interface>`, which holds the addresses. */
  holder: Item | null;
  kind: InterfaceKind;
  addrs: Item[];
}

export interface Group {
  item: Item;
  rules: Item[];
  /** `<host>` with their weights; none: all nodes alike. */
  hosts: Item[];
}

export interface Replicated {
  item: Item;
  excludes: Item[];
  tochecks: Item[];
}

export const CHECKERS = ['tcp', 'ping', 'custom', 'module', 'intf', 'ip', 'splitbrain'] as const;
export type CheckerKind = (typeof CHECKERS)[number];

export interface Checker {
  kind: CheckerKind;
  item: Item;
  /** `<to>`, where the kind has one. */
  to: Item | null;
}

/** What the form shows of a userconfig.xml. */
export interface ModuleForm {
  mode: Mode | null;
  service: Item;
  macros: Item[];
  heart: Item | null;
  heartbeats: Item[];
  farm: Item | null;
  lans: Item[];
  rfs: Item | null;
  replicated: Replicated[];
  vip: Item | null;
  interfaces: Interface[];
  groups: Group[];
  user: Item | null;
  vars: Item[];
  errd: Item | null;
  procs: Item[];
  check: Item | null;
  checkers: Checker[];
  failover: Item | null;
}

/** The identity of the heartbeat whose network carries the replication (CFG-HB-07). */
export const FLOW = 'flow';

/** Order in which new sections are written. */
const SECTIONS = ['heart', 'farm', 'vip', 'rfs', 'user', 'vhost', 'errd', 'check', 'failover'];

interface Found {
  element: xml.XElement;
  item: Item;
}

function first(parent: Found | undefined, name: string): Found | undefined {
  return parent && itemsIn(parent.element, parent.item.at, name)[0];
}

function all(parent: Found | undefined, name?: string): Found[] {
  return parent ? itemsIn(parent.element, parent.item.at, name) : [];
}

function items(parent: Found | undefined, name: string): Item[] {
  return all(parent, name).map((found) => found.item);
}

/** Reads the file. Throws `XmlFault` if it is no XML, or not a module's. */
export function readModule(text: string): ModuleForm {
  const root = xml.parse(text);
  const safe: Found = { element: root, item: item(root, []) };
  const service = root.name === 'safe' ? first(safe, 'service') : undefined;
  if (!service) throw new xml.XmlFault('userconfig.xml is <safe> with one <service> inside', root.line);
  const part = (name: string) => first(service, name);
  const [heart, farm, rfs, vip, user] = [part('heart'), part('farm'), part('rfs'), part('vip'), part('user')];
  const [errd, check, failover] = [part('errd'), part('check'), part('failover')];
  const mode = service.item.attrs.mode;
  return {
    mode: mode === 'mirror' || mode === 'farm' || mode === 'light' ? mode : null,
    service: service.item,
    macros: items(safe, 'macro'),
    heart: heart?.item ?? null,
    heartbeats: items(heart, 'heartbeat'),
    farm: farm?.item ?? null,
    lans: items(farm, 'lan'),
    rfs: rfs?.item ?? null,
    replicated: all(rfs, 'replicated').map((dir) => ({
      item: dir.item,
      excludes: items(dir, 'notreplicated'),
      tochecks: items(dir, 'tocheck'),
    })),
    vip: vip?.item ?? null,
    interfaces: all(first(vip, 'interface_list'), 'interface').map(readInterface),
    groups: all(first(vip, 'loadbalancing_list'), 'group').map((group) => ({
      item: group.item,
      rules: items(group, 'rule'),
      hosts: items(first(group, 'cluster'), 'host'),
    })),
    user: user?.item ?? null,
    vars: items(user, 'var'),
    errd: errd?.item ?? null,
    procs: items(errd, 'proc'),
    check: check?.item ?? null,
    checkers: all(check).flatMap(readChecker),
    failover: failover?.item ?? null,
  };
}

function readInterface(found: Found): Interface {
  const real = first(found, 'real_interface');
  const holder = real ?? first(found, 'virtual_interface');
  const type = holder?.item.attrs.type === 'vmac_invisible' ? 'vmac_invisible' : 'vmac_directed';
  return {
    item: found.item,
    holder: holder?.item ?? null,
    kind: real ? 'real' : type,
    addrs: items(holder, 'virtual_addr'),
  };
}

function readChecker(found: Found): Checker[] {
  const kind = CHECKERS.find((known) => known === found.item.tag);
  return kind ? [{ kind, item: found.item, to: first(found, 'to')?.item ?? null }] : [];
}

/** Whether a comment of the file shows how that section is written: the place for a real one. */
function example(text: string, service: xml.XElement, name: string): xml.XNode | undefined {
  const shown = new RegExp(`^\\s*<${name}[\\s>/]`, 'm');
  return service.children.find(
    (node) => node.kind === 'comment' && shown.test(text.slice(node.start + 4, node.end - 3)),
  );
}

/** Adds a section to `<service>`: behind the example in a comment, or in the usual order. */
function addSection(text: string, section: string): string {
  const form = readModule(text);
  const service = elementAt(xml.parse(text), form.service.at);
  const name = /^<(\w+)/.exec(section)?.[1] ?? '';
  const before = xml.elements(service).filter((e) => SECTIONS.indexOf(e.name) < SECTIONS.indexOf(name));
  const after = example(text, service, name) ?? before.at(-1);
  if (after) return xml.withChild(text, service, section, after);
  const next = xml.elements(service)[0];
  if (!next) return xml.withChild(text, service, section);
  // The new section is the first: what stood there comes behind it.
  const opening = service.children.find((node) => node.kind === 'text') ?? next;
  return opening === next ? xml.withChild(text, service, section) : insertFirst(text, service, next, section);
}

function insertFirst(text: string, service: xml.XElement, next: xml.XElement, section: string): string {
  const line = text.slice(text.lastIndexOf('\n', next.start - 1) + 1, next.start);
  const indent = line.trim() ? '' : line;
  const added = section.split('\n').join(`\n${indent}`);
  return `${text.slice(0, service.openEnd)}\n${indent}${added}${text.slice(service.openEnd)}`;
}

/** Adds children to a section, which is made if the file has none. */
function addTo(text: string, name: string, children: string[], attrs: Record<string, string> = {}): string {
  const at = sectionAt(text, name);
  if (!at) return addSection(text, around(name, attrs, children));
  return children.reduce((before, one) => addItem(before, at, one), text);
}

function sectionAt(text: string, name: string): Place | undefined {
  const root = xml.parse(text);
  const service = itemsIn(root, [], 'service')[0];
  return service && itemsIn(service.element, service.item.at, name)[0]?.item.at;
}

/** Removes a section of `<service>`. */
export function removeSection(text: string, name: string): string {
  const at = sectionAt(text, name);
  return at ? removeItem(text, at) : text;
}

/** A heartbeat on a lan of cluster.xml (CFG-HB-05). */
export function addHeartbeat(text: string, lan: string): string {
  return addTo(text, 'heart', [snippet('heartbeat', { name: lan })]);
}

/** A lan of a farm (CFG-FA-03). */
export function addFarmLan(text: string, lan: string): string {
  return addTo(text, 'farm', [snippet('lan', { name: lan })]);
}

/** The heartbeat whose network carries the replication; `null`: none is named, so the first. */
export function setFlow(text: string, at: Place | null): string {
  const beats = readModule(text).heartbeats;
  return beats.reduce((before, beat) => {
    const chosen = at !== null && beat.at.join() === at.join();
    if (chosen) return setAttr(before, beat.at, 'ident', FLOW);
    return beat.attrs.ident === FLOW ? setAttr(before, beat.at, 'ident', null) : before;
  }, text);
}

/** A replicated directory (CFG-RFS-22). */
export function addReplicated(text: string, dir: string): string {
  return addTo(text, 'rfs', [snippet('replicated', { dir, mode: 'read_only' })], { async: 'second' });
}

/** Removes a replicated directory, with the last one the replication as a whole. */
export function removeReplicated(text: string, at: Place): string {
  return readModule(text).replicated.length > 1 ? removeItem(text, at) : removeSection(text, 'rfs');
}

/** What is not replicated of a directory: a relative path, or a regular expression (CFG-RFS-25, -26). */
export function addExclude(text: string, dir: Place, by: 'path' | 'regexpath', value: string): string {
  return addItem(text, dir, snippet('notreplicated', { [by]: value }));
}

/** What must exist before the replication of a directory starts (CFG-RFS-24). */
export function addToCheck(text: string, dir: Place, path: string): string {
  return addItem(text, dir, snippet('tocheck', { path }));
}

function address(mode: Mode, addr: string): string {
  return snippet('virtual_addr', { addr, where: mode === 'mirror' ? 'one_side_alias' : 'alias', check: 'on' });
}

/** A network interface with one virtual address (CFG-VIP). */
export function addVirtualAddress(text: string, mode: Mode, addr: string): string {
  const holder = mode === 'mirror'
    ? around('real_interface', {}, [address(mode, addr)])
    : around('virtual_interface', { type: 'vmac_directed' }, [address(mode, addr)]);
  const added = around('interface', { check: 'on', arpreroute: 'on' }, [holder]);
  const root = xml.parse(text);
  const vip = sectionAt(text, 'vip');
  const list = vip && itemsIn(elementAt(root, vip), vip, 'interface_list')[0];
  return list ? addItem(text, list.item.at, added) : addTo(text, 'vip', [around('interface_list', {}, [added])]);
}

/** One more address of an interface. */
export function addAddress(text: string, holder: Place, mode: Mode, addr: string): string {
  return addItem(text, holder, address(mode, addr));
}

/** Removes an address; with its last one the interface, and with the last interface `<vip>`. */
export function removeAddress(text: string, at: Place): string {
  const form = readModule(text);
  const owner = form.interfaces.find((one) => one.addrs.some((addr) => addr.at.join() === at.join()));
  if (!owner || owner.addrs.length > 1) return removeItem(text, at);
  return form.interfaces.length > 1 ? removeItem(text, owner.item.at) : removeSection(text, 'vip');
}

/** Whose MAC address answers for the addresses of an interface. */
export function setInterfaceKind(text: string, one: Interface, kind: InterfaceKind): string {
  if (!one.holder || one.kind === kind) return text;
  const { at } = one.holder;
  if (kind !== 'real') {
    const renamed = xml.withName(text, elementAt(xml.parse(text), at), 'virtual_interface');
    return setAttr(renamed, at, 'type', kind);
  }
  const bare = ['type', 'addr'].reduce((before, name) => setAttr(before, at, name, null), text);
  return xml.withName(bare, elementAt(xml.parse(bare), at), 'real_interface');
}

/** A group of load balancing rules with one rule (CFG-LB-01). */
export function addGroup(text: string, name: string): string {
  const group = around('group', { name }, [rule()]);
  const vip = sectionAt(text, 'vip');
  if (!vip) return text;
  const list = itemsIn(elementAt(xml.parse(text), vip), vip, 'loadbalancing_list')[0];
  return list ? addItem(text, list.item.at, group) : addItem(text, vip, around('loadbalancing_list', {}, [group]));
}

function rule(): string {
  return snippet('rule', { port: '*', proto: 'tcp', filter: 'on_addr' });
}

/** One more rule of a group. */
export function addRule(text: string, group: Place): string {
  return addItem(text, group, rule());
}

/** Removes a group; with the last one the list. */
export function removeGroup(text: string, at: Place): string {
  return readModule(text).groups.length > 1 ? removeItem(text, at) : removeItem(text, at.slice(0, -1));
}

/** The weight of a node in a group; `null`: as the others, which is 1 as soon as one is set (CFG-LB-02). */
export function setPower(text: string, group: Group, nodes: string[], node: string, power: string): string {
  const host = group.hosts.find((one) => one.attrs.name === node);
  if (host) return setAttr(text, host.at, 'power', power);
  const holder = itemsIn(elementAt(xml.parse(text), group.item.at), group.item.at, 'cluster')[0];
  if (holder) return addItem(text, holder.item.at, snippet('host', { name: node, power }));
  // A node that is not listed gets nothing: all are written.
  const hosts = nodes.map((name) => snippet('host', { name, power: name === node ? power : '1' }));
  return addItem(text, group.item.at, around('cluster', {}, hosts));
}

/** All nodes alike again. */
export function removePowers(text: string, group: Group): string {
  const holder = itemsIn(elementAt(xml.parse(text), group.item.at), group.item.at, 'cluster')[0];
  return holder ? removeItem(text, holder.item.at) : text;
}

/** The scripts of the module are called (CFG-USR-06). */
export function addUser(text: string): string {
  return sectionAt(text, 'user') ? text : addSection(text, '<user/>');
}

/** A variable of the scripts (CFG-USR-05). */
export function addVar(text: string, name: string, value: string): string {
  return addTo(text, 'user', [snippet('var', { name, value })]);
}

/** A free name: `wanted`, else with a number. */
export function freeName(wanted: string, taken: (string | undefined)[]): string {
  let name = wanted;
  for (let n = 2; taken.includes(name); n += 1) name = `${wanted}${n}`;
  return name;
}

/** A checker with an identity of its own. */
export function addChecker(text: string, kind: CheckerKind, mode: Mode): string {
  const taken = readModule(text).checkers.filter((one) => one.kind === kind).map((one) => one.item.attrs.ident);
  const ident = freeName(kind === 'splitbrain' ? 'witness' : kind === 'tcp' ? 'application' : kind, taken);
  const running = mode === 'mirror' ? 'prim' : 'both';
  const to = (attrs: Record<string, string>) => [snippet('to', attrs)];
  const made: Record<CheckerKind, string> = {
    tcp: around('tcp', { ident, when: running, action: 'restart' }, to({ addr: '127.0.0.1', port: '80' })),
    ping: around('ping', { ident, when: 'pre', action: 'wait' }, to({ addr: '' })),
    custom: snippet('custom', { ident, when: running, exec: 'checker', action: 'restart' }),
    module: snippet('module', { name: '' }),
    intf: around('intf', { ident, when: 'pre' }, to({ local_addr: '' })),
    ip: around('ip', { ident, when: running }, to({ addr: '' })),
    splitbrain: snippet('splitbrain', { ident, when: 'pre', exec: 'ping', arg: '' }),
  };
  return addTo(text, 'check', [made[kind]]);
}

/** An attribute of the `<to>` of a checker, which a module checker may lack. */
export function setTo(text: string, checker: Checker, name: string, value: string | null): string {
  if (checker.to) return setAttr(text, checker.to.at, name, value);
  return value === null ? text : addItem(text, checker.item.at, snippet('to', { [name]: value }));
}

/** Removes a checker; with the last one `<check>`, unless it holds more than checkers. */
export function removeChecker(text: string, at: Place): string {
  const form = readModule(text);
  const check = form.check && elementAt(xml.parse(text), form.check.at);
  const only = check && xml.elements(check).length === 1 && !check.children.some((node) => node.kind === 'comment');
  return only && form.check ? removeItem(text, form.check.at) : removeItem(text, at);
}

/** A process or service that is watched (CFG-ER). */
export function addProc(text: string, mode: Mode): string {
  const taken = readModule(text).procs.map((one) => one.attrs.name);
  const attrs = { name: freeName('myservice', taken), service: 'yes', action: 'restart', class: mode === 'mirror' ? 'prim' : 'both' };
  return addTo(addUser(text), 'errd', [snippet('proc', attrs)]);
}

/** A module whose service runs processes under watch loses them all with the last one. */
export function removeProc(text: string, at: Place): string {
  return readModule(text).procs.length > 1 ? removeItem(text, at) : removeSection(text, 'errd');
}
