/** cluster.xml for the form of the cluster wizard (spec CFG-CL). As `module.ts`. */
import { type Item, type Place, addItem, around, elementAt, item, itemsIn, removeItem, setAttr, snippet } from './item';
import * as xml from './xml';

export { type Item, type Place, setAttr } from './item';

export interface Lan {
  item: Item;
  /** `<node>` with `name`, `addr` and perhaps `laddr`. */
  nodes: Item[];
}

/** What the form shows of a cluster.xml. */
export interface ClusterForm {
  lans: Item;
  list: Lan[];
}

/** Reads the file. Throws `XmlFault` if it is no XML, or not a cluster's. */
export function readCluster(text: string): ClusterForm {
  const root = xml.parse(text);
  const lans = root.name === 'cluster' ? itemsIn(root, [], 'lans')[0] : undefined;
  if (!lans) throw new xml.XmlFault('cluster.xml is <cluster> with one <lans> inside', root.line);
  const list = itemsIn(lans.element, lans.item.at, 'lan').map(({ element, item: one }) => ({
    item: one,
    nodes: itemsIn(element, one.at, 'node').map((node) => node.item),
  }));
  return { lans: item(lans.element, lans.item.at), list };
}

/** Where the form begins when nothing is configured: this server and another. */
export function newCluster(me: { addr: string; name: string }): string {
  const lan = around('lan', { name: 'default' }, [
    snippet('node', { name: me.name, addr: me.addr }),
    snippet('node', { name: '', addr: '' }),
  ]);
  return `<?xml version="1.0"?>\n${around('cluster', {}, [around('lans', {}, [lan])])}\n`;
}

/** Names of all nodes, each once, in the order of the file. */
export function nodeNames(form: ClusterForm): string[] {
  const names = form.list.flatMap((lan) => lan.nodes.map((node) => node.attrs.name ?? ''));
  return [...new Set(names)].filter((name) => name !== '');
}

/** One more network, with the nodes of the others. */
export function addLan(text: string): string {
  const form = readCluster(text);
  const taken = form.list.map((lan) => lan.item.attrs.name);
  let name = 'private';
  for (let n = 2; taken.includes(name); n += 1) name = `private${n}`;
  const nodes = nodeNames(form).map((node) => snippet('node', { name: node, addr: '' }));
  return addItem(text, form.lans.at, around('lan', { name }, nodes));
}

/** One more node of a network. */
export function addNode(text: string, lan: Place): string {
  return addItem(text, lan, snippet('node', { name: '', addr: '' }));
}

/** Removes a network, or a node from one network. */
export function remove(text: string, at: Place): string {
  return removeItem(text, at);
}

/**
 * Names a node. With its old name it stands on other networks too: as it is the same server, it gets
 * the new name there, unless another node of that network has it already.
 */
export function renameNode(text: string, at: Place, name: string): string {
  const form = readCluster(text);
  const old = elementAt(xml.parse(text), at).attrs.find((a) => a.name === 'name')?.value ?? '';
  const renamed = setAttr(text, at, 'name', name);
  if (!old) return renamed;
  const others = form.list.filter((lan) => !lan.nodes.some((node) => node.at.join() === at.join()));
  return others.reduce((before, lan) => {
    const same = lan.nodes.find((node) => node.attrs.name === old);
    const free = !lan.nodes.some((node) => node.attrs.name === name);
    return same && free && name ? setAttr(before, same.at, 'name', name) : before;
  }, renamed);
}

/** The network of distributed commands (CFG-CL-06): the one with `command="on"`, else the first. */
export function commandLan(form: ClusterForm): Lan | undefined {
  return form.list.find((lan) => lan.item.attrs.command === 'on') ?? form.list[0];
}

/** Moves the distributed commands to another network. */
export function setCommandLan(text: string, at: Place): string {
  return readCluster(text).list.reduce((before, lan) => {
    if (lan.item.at.join() === at.join()) return setAttr(before, lan.item.at, 'command', 'on');
    return lan.item.attrs.command === 'on' ? setAttr(before, lan.item.at, 'command', null) : before;
  }, text);
}

/** Gives a node the name of the server at its address, unless it has one or the address is another by now. */
export function nameIfEmpty(text: string, at: Place, addr: string, name: string): string {
  const node = readCluster(text).list.flatMap((lan) => lan.nodes).find((one) => one.at.join() === at.join());
  return node && node.attrs.addr === addr && !node.attrs.name ? renameNode(text, at, name) : text;
}
