import { describe, expect, it } from 'vitest';
import type { ModuleFile } from '../../src/api/types';
import { diff, hunks } from '../../src/config/diff';
import { FIELDS, choicesOf } from '../../src/config/fields';
import { changedFiles, clashes, merged, scripts, withFile, withoutFile } from '../../src/config/files';
import { invalid } from '../../src/config/validate';
import { en } from '../../src/i18n/en';

const file = (path: string, text: string, executable = false): ModuleFile => ({ path, text, base64: null, executable });

describe('a diff', () => {
  const sides = (theirs: string, mine: string) => {
    const lines = diff(theirs, mine);
    const of = (side: 'theirs' | 'mine') => lines.filter((line) => line[side] !== null).map((line) => line.text).join('\n');
    expect([of('theirs'), of('mine')]).toEqual([theirs, mine]);
    return lines.map((line) => `${{ same: ' ', theirs: '-', mine: '+' }[line.kind]}${line.text}`);
  };

  it('tells the lines of each side', () => {
    expect(sides('a\nb\nc\nd', 'a\nx\nc\nd\ne')).toEqual([' a', '-b', '+x', ' c', ' d', '+e']);
    expect(sides('', 'a')).toEqual(['-', '+a']);
    expect(sides('a', 'a')).toEqual([' a']);
    expect(sides('a\na\na', 'a\na')).toEqual([' a', ' a', '-a']);
  });

  it('numbers the lines', () => {
    expect(diff('a\nb', 'x\na\nb').map((line) => [line.theirs, line.mine])).toEqual([[null, 1], [1, 2], [2, 3]]);
  });

  it('leaves out what is far from a change', () => {
    const before = Array.from({ length: 20 }, (_, i) => `line ${i}`);
    const after = before.with(10, 'changed');
    expect(hunks(diff(before.join('\n'), after.join('\n')), 1).map((line) => line?.text ?? '...')).toEqual([
      '...', 'line 9', 'line 10', 'changed', 'line 11', '...',
    ]);
  });

  it('does not take for ever', () => {
    const many = (word: string) => Array.from({ length: 5000 }, (_, i) => `${word} ${i}`).join('\n');
    expect(diff(many('a'), many('b'))).toHaveLength(10_000);
  });
});

describe('files of two administrators', () => {
  const base = [file('bin/a', '1'), file('bin/b', '1'), file('bin/c', '1'), file('bin/d', '1')];

  it('clash only where both changed one', () => {
    const theirs = [file('bin/a', '2'), file('bin/b', '2'), file('bin/c', '1'), file('bin/d', '2')];
    const mine = [file('bin/a', '1'), file('bin/b', '3'), file('bin/c', '1', true), file('bin/d', '2'), file('bin/e', '1')];
    const found = clashes(base, theirs, mine);
    expect(found.map((clash) => [clash.path, clash.by])).toEqual([
      ['bin/a', 'them'], ['bin/b', 'both'], ['bin/c', 'me'], ['bin/e', 'me'],
    ]);
    expect(merged(theirs, found, new Set(['bin/b', 'bin/c', 'bin/e']))).toEqual([
      file('bin/a', '2'), file('bin/b', '3'), file('bin/c', '1', true), file('bin/d', '2'), file('bin/e', '1'),
    ]);
  });

  it('may be removed by either', () => {
    const theirs = withoutFile(base, 'bin/a');
    const mine = withoutFile(base, 'bin/b');
    const found = clashes(base, theirs, mine);
    expect(found.map((clash) => [clash.path, clash.by, clash.theirs === null, clash.mine === null])).toEqual([
      ['bin/a', 'them', true, false], ['bin/b', 'me', false, true],
    ]);
    expect(merged(theirs, found, new Set(['bin/b'])).map((one) => one.path)).toEqual(['bin/c', 'bin/d']);
  });

  it('are unsaved when edited, added or removed', () => {
    expect(changedFiles(base, base)).toEqual([]);
    const mine = withoutFile(withFile(withFile(base, file('bin/a', '1', true)), file('bin/0', '')), 'bin/c');
    expect(changedFiles(base, mine)).toEqual(['bin/0', 'bin/a', 'bin/c']);
  });

  it('begin with the scripts that start and stop', () => {
    const all = [file('bin/checker', ''), file('bin/stop_prim', ''), file('bin/start_prim', ''), file('conf/userconfig.xml', ''), file('conf/start_prim', '')];
    const { main, others } = scripts(all);
    expect(main.map((one) => one.path)).toEqual(['bin/start_prim', 'bin/stop_prim']);
    expect(others.map((one) => one.path)).toEqual(['bin/checker', 'conf/start_prim']);
  });
});

describe('values of fields', () => {
  const field = (tag: string, name: string) => FIELDS[tag]!.find((one) => one.name === name)!;

  it.each([
    ['node', 'addr', ['10.0.0.1', '[2001:db8::1]', '2001:db8::1', 'node1.example.com', '%VIP%'], ['', '10.0.0.256', '10.0.0', '[10.0.0.1]', 'a b', '-x', 'a..b', '[::1']],
    ['node', 'name', ['node1', 'a.b-c_d'], ['', '-a', 'a b', 'é', 'x'.repeat(65)]],
    ['service', 'maxloop', ['0', '1000', undefined], ['', '-1', '1001', '1.5', 'x']],
    ['heart', 'timeout', ['30s', '30000', '1500ms', undefined], ['', '-1', '1.5s', '10x', '10 s']],
    ['replicated', 'dir', ['/data', '/a/b c'], ['', '/', 'data', '/a/../b']],
    ['notreplicated', 'path', ['tmp', 'a/b'], ['/tmp', '../a']],
    ['notreplicated', 'regexpath', ['.*\\.tmp$', '!keep'], ['(']],
    ['virtual_addr', 'netmask', ['255.255.255.0', undefined], ['255.0.255.0', '0.0.0.0', '24']],
    ['virtual_interface', 'addr', ['5a:fe:c0:a8:01:63'], ['01:fe:c0:a8:01:63', '5a:fe']],
    ['rule', 'port', ['*', '80'], ['0', '65536', 'http']],
    ['rfs', 'syncat', ['01 0 * * *'], ['* *', 'a b c d e f']],
    ['splitbrain', 'arg', ['10.0.0.1 10.0.0.2'], ['10.0.0.1 10.0.0', '']],
    ['var', 'name', ['PORT', '_x1'], ['1x', 'a-b', '']],
    ['var', 'value', ['', 'anything at all', undefined], []],
    ['module', 'name', ['mirror'], ['', '.x', 'a/b', 'x'.repeat(33)]],
    ['interface', 'name', ['eth0', 'bond0.12'], ['a b', 'a/b', 'x'.repeat(16)]],
  ] as [string, string, (string | undefined)[], string[]][])('%s@%s', (tag, name, good, bad) => {
    for (const value of good) expect([value, invalid(field(tag, name), value)]).toEqual([value, null]);
    for (const value of bad) expect([value, invalid(field(tag, name), value)?.key]).toEqual([value, expect.stringMatching(/^invalid\./)]);
  });

  it('are offered where they fit', () => {
    expect(choicesOf('tcp', field('tcp', 'when'), 'farm', {})).toEqual(['pre', 'both']);
    expect(choicesOf('custom', field('custom', 'action'), 'mirror', { when: 'pre' })).toEqual(['wait', 'noaction']);
    expect(choicesOf('custom', field('custom', 'action'), 'mirror', { when: 'prim' })).toEqual(['restart', 'stopstart', 'stop', 'noaction']);
    expect(choicesOf('rule', field('rule', 'filter'), 'farm', { proto: 'tcp' })).toEqual(['on_addr', 'on_port']);
    expect(choicesOf('rule', field('rule', 'filter'), 'farm', { proto: 'udp' })).toContain('on_ipid');
  });

  it('have a label, and words for what they offer', () => {
    const missing = Object.entries(FIELDS).flatMap(([group, specs]) => {
      const tag = group.includes('.') ? 'to' : group;
      return specs.flatMap((one) => {
        const words = one.kind === 'choice' ? one.choices! : [];
        const unsaid = words.filter((word) => !(`choice.${tag}.${one.name}.${word}` in en) && !(`choice.${one.name}.${word}` in en));
        return [...(`field.${tag}.${one.name}` in en ? [] : [`${tag}.${one.name}`]), ...unsaid];
      });
    });
    expect(missing).toEqual([]);
  });

  it('have a default that is valid', () => {
    for (const one of Object.values(FIELDS).flat()) {
      if (one.default !== undefined) expect([one.name, invalid(one, one.default)]).toEqual([one.name, null]);
    }
  });
});
