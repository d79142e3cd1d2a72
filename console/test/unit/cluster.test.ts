import { describe, expect, it } from 'vitest';
import * as cluster from '../../src/config/cluster';

const TEXT = `<?xml version="1.0"?>
<!-- the cluster of the bank -->
<cluster>
  <lans port="4801" odd='kept'>
    <lan name="default" command="on">
      <node name="node1" addr="10.0.0.107"/> <!-- rack 1 -->
      <node name="node2" addr="10.0.0.108" laddr="192.168.0.2"/>
    </lan>
    <lan name="private" framework="on">
      <node name="node1" addr="10.1.0.107"/>
      <node name="node2" addr="[2001::7334]"/>
    </lan>
  </lans>
</cluster>
`;

const form = (text: string) => cluster.readCluster(text);

describe('cluster.xml', () => {
  it('is read', () => {
    expect(form(TEXT).list.map((lan) => [lan.item.attrs.name, lan.nodes.map((node) => node.attrs.addr)])).toEqual([
      ['default', ['10.0.0.107', '10.0.0.108']],
      ['private', ['10.1.0.107', '[2001::7334]']],
    ]);
    expect(cluster.nodeNames(form(TEXT))).toEqual(['node1', 'node2']);
    expect(() => form('<safe/>')).toThrow('<cluster>');
  });

  it('keeps everything else when an attribute changes', () => {
    const node = form(TEXT).list[1]!.nodes[1]!;
    expect(cluster.setAttr(TEXT, node.at, 'addr', '10.1.0.108')).toBe(TEXT.replace('[2001::7334]', '10.1.0.108'));
    expect(cluster.setAttr(TEXT, node.at, 'laddr', '10.2.0.1')).toBe(TEXT.replace('"[2001::7334]"', '"[2001::7334]" laddr="10.2.0.1"'));
    expect(cluster.setAttr(TEXT, form(TEXT).list[0]!.nodes[1]!.at, 'laddr', null)).toBe(TEXT.replace(' laddr="192.168.0.2"', ''));
  });

  it('names a node on all its networks', () => {
    const renamed = cluster.renameNode(TEXT, form(TEXT).list[0]!.nodes[1]!.at, 'paris');
    expect(renamed).toBe(TEXT.replaceAll('"node2"', '"paris"'));
    // Not where the name is another node's.
    const clash = cluster.renameNode(TEXT, form(TEXT).list[0]!.nodes[1]!.at, 'node1');
    expect(form(clash).list[1]!.nodes.map((node) => node.attrs.name)).toEqual(['node1', 'node2']);
  });

  it('takes the rest of the networks along only with a name', () => {
    const at = form(TEXT).list[0]!.nodes[0]!.at;
    const cleared = cluster.renameNode(TEXT, at, '');
    expect(form(cleared).list[1]!.nodes[0]!.attrs.name).toBe('node1');
  });

  it('grows and shrinks', () => {
    const more = cluster.addNode(TEXT, form(TEXT).list[0]!.item.at);
    expect(more).toContain('laddr="192.168.0.2"/>\n      <node name="" addr=""/>\n    </lan>');
    expect(cluster.remove(more, form(more).list[0]!.nodes[2]!.at)).toBe(TEXT);
    const lan = cluster.addLan(TEXT);
    expect(form(lan).list[2]).toMatchObject({ item: { attrs: { name: 'private2' } }, nodes: [{ attrs: { name: 'node1', addr: '' } }, { attrs: { name: 'node2' } }] });
    expect(cluster.remove(lan, form(lan).list[2]!.item.at)).toBe(TEXT);
  });

  it('has one network for the distributed commands', () => {
    expect(cluster.commandLan(form(TEXT))?.item.attrs.name).toBe('default');
    const moved = cluster.setCommandLan(TEXT, form(TEXT).list[1]!.item.at);
    expect(form(moved).list.map((lan) => lan.item.attrs.command)).toEqual([undefined, 'on']);
    expect(cluster.commandLan(form(TEXT.replace(' command="on"', '')))?.item.attrs.name).toBe('default');
  });

  it('begins with this server and another', () => {
    const text = cluster.newCluster({ addr: '10.0.0.1', name: 'node1' });
    expect(form(text).list[0]!.nodes.map((node) => [node.attrs.name, node.attrs.addr])).toEqual([['node1', '10.0.0.1'], ['', '']]);
    expect(text.endsWith('</cluster>\n')).toBe(true);
  });
});
