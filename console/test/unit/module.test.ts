import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as item from '../../src/config/item';
import * as module from '../../src/config/module';

const MODULES = new URL('../../../conf/modules/', import.meta.url);
const template = (name: string) => readFileSync(new URL(`${name}/conf/userconfig.xml`, MODULES), 'utf8');
const templates = readdirSync(MODULES).map((name) => [name, template(name)] as const);
const mirror = template('mirror');
const farm = template('farm');

/** Lines that one text has and the other has not. */
function changed(before: string, after: string): { gone: string[]; come: string[] } {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const less = (a: string[], b: string[]) => {
    const rest = [...b];
    return a.filter((line) => {
      const i = rest.indexOf(line);
      if (i >= 0) rest.splice(i, 1);
      return i < 0;
    });
  };
  return { gone: less(old, now), come: less(now, old) };
}

/** Every tag of a form, wherever it is. */
function everyItem(value: unknown): item.Item[] {
  if (Array.isArray(value)) return value.flatMap(everyItem);
  if (typeof value !== 'object' || value === null) return [];
  return 'attrs' in value ? [value as item.Item] : Object.values(value).flatMap(everyItem);
}

describe.each(templates)('the template %s', (_name, text) => {
  it('is the same byte for byte when each attribute is written as it is', () => {
    const all = everyItem(module.readModule(text));
    expect(all.length).toBeGreaterThan(2);
    for (const one of all) {
      for (const [name, value] of Object.entries(one.attrs)) {
        expect(item.setAttr(text, one.at, name, value)).toBe(text);
      }
    }
  });

  it('changes in one line by one attribute, and comes back', () => {
    for (const one of everyItem(module.readModule(text))) {
      for (const [name, value] of Object.entries(one.attrs)) {
        const edited = item.setAttr(text, one.at, name, `${value}&"x"`);
        expect(changed(text, edited).come).toHaveLength(1);
        const again = everyItem(module.readModule(edited)).find((other) => other.at.join() === one.at.join());
        expect(again?.attrs[name]).toBe(`${value}&"x"`);
        expect(item.setAttr(edited, one.at, name, value)).toBe(text);
      }
    }
  });

  it('loses only its own lines when a tag goes', () => {
    for (const one of everyItem(module.readModule(text)).filter((other) => other.at.length > 1)) {
      expect(changed(text, item.removeItem(text, one.at)).come).toEqual([]);
    }
  });
});

describe('what the form shows', () => {
  it('of a mirror', () => {
    const form = module.readModule(mirror);
    expect(form.mode).toBe('mirror');
    expect(form.heartbeats.map((beat) => beat.attrs.name)).toEqual(['default']);
    expect(form.replicated.map((dir) => dir.item.attrs.dir)).toEqual(['/test1replicated', '/test2replicated']);
    expect([form.vip, form.check, form.farm]).toEqual([null, null, null]);
  });

  it('of a farm', () => {
    const form = module.readModule(farm);
    expect(form.interfaces).toMatchObject([{ kind: 'vmac_directed', addrs: [{ attrs: { addr: '192.168.4.20' } }] }]);
    expect(form.groups).toMatchObject([{ item: { attrs: { name: 'FarmProto' } }, rules: [{ attrs: { port: '9010' } }], hosts: [] }]);
  });

  it('with the lines that the faults of the server name', () => {
    const lines = mirror.split('\n');
    for (const one of everyItem(module.readModule(mirror))) {
      expect(lines[one.line - 1]).toContain(`<${one.tag}`);
    }
  });

  it('refuses what is no module', () => {
    expect(() => module.readModule('<cluster/>')).toThrow('<safe>');
    expect(() => module.readModule('<safe/>')).toThrow('<service>');
    expect(module.readModule('<safe><service mode="odd"/></safe>').mode).toBeNull();
  });
});

describe('heartbeats and lans', () => {
  it('are added behind the others', () => {
    expect(changed(mirror, module.addHeartbeat(mirror, 'private'))).toEqual({
      gone: [],
      come: ['      <heartbeat name="private"/>'],
    });
    expect(changed(farm, module.addFarmLan(farm, 'private')).come).toEqual(['      <lan name="private"/>']);
  });

  it('carry the replication one at a time', () => {
    const two = module.addHeartbeat(mirror, 'private');
    const [one, other] = module.readModule(two).heartbeats;
    const flow = module.setFlow(two, other!.at);
    expect(module.readModule(flow).heartbeats.map((beat) => beat.attrs.ident)).toEqual([undefined, 'flow']);
    const moved = module.setFlow(flow, one!.at);
    expect(module.readModule(moved).heartbeats.map((beat) => beat.attrs.ident)).toEqual(['flow', undefined]);
    expect(module.setFlow(moved, null)).toBe(two);
  });
});

describe('replicated directories', () => {
  it('are added with what is excluded and needed', () => {
    const added = module.addReplicated(mirror, '/data');
    const dir = module.readModule(added).replicated[2]!;
    expect(dir.item.attrs).toEqual({ dir: '/data', mode: 'read_only' });
    const full = module.addToCheck(module.addExclude(added, dir.item.at, 'path', 'tmp'), dir.item.at, 'marker');
    expect(changed(added, full)).toEqual({
      gone: ['      <replicated dir="/data" mode="read_only"/>'],
      come: [
        '      <replicated dir="/data" mode="read_only">',
        '        <notreplicated path="tmp"/>',
        '        <tocheck path="marker"/>',
        '      </replicated>',
      ],
    });
  });

  it('take the replication with the last one, and bring it', () => {
    const dirs = () => module.readModule(text).replicated;
    let text = mirror;
    while (dirs().length) text = module.removeReplicated(text, dirs()[0]!.item.at);
    expect(module.readModule(text).rfs).toBeNull();
    expect(text).toContain('<!-- Replicated directories');
    text = module.addReplicated(text, '/data');
    expect(text).toContain('    <rfs async="second">\n      <replicated dir="/data" mode="read_only"/>\n    </rfs>\n');
  });
});

describe('virtual addresses', () => {
  it('come where the template shows them in a comment', () => {
    const added = module.addVirtualAddress(mirror, 'mirror', '10.0.0.9');
    expect(changed(mirror, added).gone).toEqual([]);
    expect(added.indexOf('10.0.0.9')).toBeGreaterThan(added.indexOf('<!-- Virtual IP address'));
    expect(added.indexOf('10.0.0.9')).toBeLessThan(added.indexOf('<!-- Replicated directories'));
    const form = module.readModule(added);
    expect(form.interfaces).toMatchObject([
      { kind: 'real', item: { attrs: { check: 'on', arpreroute: 'on' } }, addrs: [{ attrs: { addr: '10.0.0.9', where: 'one_side_alias', check: 'on' } }] },
    ]);
    expect(module.removeAddress(added, form.interfaces[0]!.addrs[0]!.at)).toBe(mirror);
  });

  it('share an interface or have their own', () => {
    const two = module.addVirtualAddress(farm, 'farm', '192.168.5.20');
    expect(module.readModule(two).interfaces.map((one) => one.addrs.length)).toEqual([1, 1]);
    const three = module.addAddress(two, module.readModule(two).interfaces[1]!.holder!.at, 'farm', '192.168.5.21');
    const form = module.readModule(three);
    expect(form.interfaces[1]!.addrs.map((addr) => addr.attrs.where)).toEqual(['alias', 'alias']);
    expect(module.removeAddress(three, form.interfaces[1]!.addrs[1]!.at)).toBe(two);
    expect(module.removeAddress(two, module.readModule(two).interfaces[1]!.addrs[0]!.at)).toBe(farm);
  });

  it('change whose MAC address answers', () => {
    const one = (text: string) => module.readModule(text).interfaces[0]!;
    const invisible = module.setInterfaceKind(farm, one(farm), 'vmac_invisible');
    expect(changed(farm, invisible).come).toEqual(['          <virtual_interface type="vmac_invisible">']);
    const real = module.setInterfaceKind(invisible, one(invisible), 'real');
    expect(changed(farm, real).come).toEqual(['          <real_interface>', '          </real_interface>']);
    expect(module.setInterfaceKind(real, one(real), 'vmac_directed')).toBe(farm);
  });
});

describe('load balancing', () => {
  const group = (text: string, i = 0) => module.readModule(text).groups[i]!;

  it('has groups with rules', () => {
    const added = module.addRule(module.addGroup(farm, 'Web'), group(module.addGroup(farm, 'Web'), 1).item.at);
    expect(group(added, 1).rules).toHaveLength(2);
    expect(module.removeGroup(added, group(added, 1).item.at)).toBe(farm);
    const none = module.removeGroup(farm, group(farm).item.at);
    expect(none).not.toContain('loadbalancing_list');
    expect(module.readModule(module.addGroup(none, 'Web')).groups).toHaveLength(1);
  });

  it('weighs nodes: all are listed as soon as one is', () => {
    const nodes = ['node1', 'node2', 'node3'];
    const one = module.setPower(farm, group(farm), nodes, 'node2', '3');
    expect(group(one).hosts.map((host) => [host.attrs.name, host.attrs.power])).toEqual([['node1', '1'], ['node2', '3'], ['node3', '1']]);
    const two = module.setPower(one, group(one), nodes, 'node3', '0');
    expect(group(two).hosts[2]!.attrs.power).toBe('0');
    const more = module.setPower(two, group(two), nodes, 'node4', '2');
    expect(group(more).hosts).toHaveLength(4);
    expect(module.removePowers(more, group(more))).toBe(farm);
  });
});

describe('scripts and checkers', () => {
  it('have variables', () => {
    const added = module.addVar(mirror, 'PORT', '8080');
    expect(changed(mirror, added)).toEqual({ gone: [], come: ['      <var name="PORT" value="8080"/>'] });
    const bare = module.removeSection(mirror, 'user');
    expect(module.readModule(module.addVar(bare, 'PORT', '8080')).vars).toHaveLength(1);
    expect(module.readModule(module.addUser(bare)).user).not.toBeNull();
    expect(module.addUser(mirror)).toBe(mirror);
  });

  it.each(module.CHECKERS)('a %s checker is added where the example is, and goes', (kind) => {
    const added = module.addChecker(mirror, kind, 'mirror');
    const [made] = module.readModule(added).checkers;
    expect(made).toMatchObject({ kind });
    expect(added.indexOf(`<${kind} `, added.indexOf('<!-- Checkers'))).toBeGreaterThan(0);
    expect(module.removeChecker(added, made!.item.at)).toBe(mirror);
    const again = module.readModule(module.addChecker(added, kind, 'mirror')).checkers;
    if (kind !== 'module') expect(again[0]!.item.attrs.ident).not.toBe(again[1]!.item.attrs.ident);
  });

  it('a module checker gets a <to> when it needs one', () => {
    const added = module.addChecker(mirror, 'module', 'mirror');
    const checker = () => module.readModule(text).checkers[0]!;
    let text = added;
    text = module.setTo(text, checker(), 'addr', '10.0.0.3');
    text = module.setTo(text, checker(), 'port', '9453');
    expect(checker().to?.attrs).toEqual({ addr: '10.0.0.3', port: '9453' });
    expect(module.setTo(added, module.readModule(added).checkers[0]!, 'addr', null)).toBe(added);
  });

  it('other checkers and what the form does not know stay', () => {
    const odd = mirror.replace('<user ', '<check><odd a="1"/><!-- mine --></check><user ');
    const added = module.addChecker(odd, 'tcp', 'mirror');
    const [made] = module.readModule(added).checkers;
    expect(module.removeChecker(added, made!.item.at)).toContain('<odd a="1"/><!-- mine -->');
  });

  it('processes are watched by a class of the mode', () => {
    const added = module.addProc(module.addProc(farm, 'farm'), 'farm');
    expect(module.readModule(added).procs.map((proc) => [proc.attrs.name, proc.attrs.class])).toEqual([['myservice', 'both'], ['myservice2', 'both']]);
    const one = module.removeProc(added, module.readModule(added).procs[1]!.at);
    expect(module.removeProc(one, module.readModule(one).procs[0]!.at)).toBe(farm);
  });
});

it('a section comes first when nothing stands before it', () => {
  const light = '<safe>\n  <service mode="mirror">\n    <user/>\n  </service>\n</safe>\n';
  expect(module.addHeartbeat(light, 'default')).toBe(
    '<safe>\n  <service mode="mirror">\n    <heart>\n      <heartbeat name="default"/>\n    </heart>\n    <user/>\n  </service>\n</safe>\n',
  );
  const empty = '<safe><service mode="mirror"/></safe>';
  expect(module.readModule(module.addHeartbeat(empty, 'default')).heartbeats).toHaveLength(1);
});
