import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { lang, t, tn } from '../../src/i18n';
import { sentences } from '../../src/i18n/fr/sentences';
import { en } from '../../src/i18n/en';
import { fr } from '../../src/i18n/fr';
import { describedOf, labelOf, told, translated } from '../../src/i18n/told';

beforeEach(() => {
  lang.value = 'en';
});

const keys = Object.keys(en) as (keyof typeof en)[];
const names = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!).sort();

test('a French text uses what the English one is given', () => {
  // The plurals of one may leave the number out.
  const differing = keys.filter((key) => names(en[key]).join() !== names(fr[key]).join());
  expect(differing).toEqual([]);
});

test('nothing is left in English by mistake', () => {
  const same = keys.filter((key) => en[key] === fr[key] && / /.test(en[key]) && !/^\{/.test(en[key]));
  expect(same.filter((key) => key !== 'access.method.openid')).toEqual([]);
});

test('French puts a space before double marks, and uses its apostrophe', () => {
  const wrong = keys.filter((key) => /[^\s\u00a0][!?;]|[^\s\u00a0\d]:(\s|$)|[a-zA-Z]'[a-zA-Zéêh]/.test(fr[key]));
  expect(wrong).toEqual([]);
});

test('every plural has its other form', () => {
  const alone = keys.filter((key) => key.endsWith('_one') && !(key.replace(/_one$/, '_other') in en));
  expect(alone).toEqual([]);
});

test('values are filled in, in either language', () => {
  expect(t('details.title', { module: 'web', node: 'node1' })).toBe('web on node1');
  lang.value = 'fr';
  expect(t('details.title', { module: 'web', node: 'node1' })).toBe('web sur node1');
});

test('none is plural in English and singular in French', () => {
  expect([tn('ui.rows', 0), tn('ui.rows', 1), tn('ui.rows', 2)]).toEqual(['0 rows', '1 row', '2 rows']);
  lang.value = 'fr';
  expect([tn('ui.rows', 0), tn('ui.rows', 1), tn('ui.rows', 2)]).toEqual(['0 ligne', '1 ligne', '2 lignes']);
});

test('sentences and labels of the server are in the language of the page', () => {
  expect(told('connections are not encrypted: HTTPS is not configured')).toBe('Connections are not encrypted: HTTPS is not configured');
  lang.value = 'fr';
  expect(told('no login is needed: everybody has the role Monitor (httpd.conf)')).toContain('tout le monde a le rôle Monitor');
  expect(told('something new')).toBe('Something new');
  expect(translated('the failover rule c_checkfile holds it in WAIT: custom.checkfile is down')).toBe('la règle de reprise c_checkfile le retient en WAIT\u00a0: custom.checkfile est down');
  expect(translated('node2 shows PRIM Ready')).toBe('node2 montre PRIM Ready');
  expect(translated('secondary of node1, in step: it takes over when node1 stops or is lost')).toContain('quand node1 s’arrête');
  expect(labelOf({ resource: 'state.local', value: '', date: null, label: 'Local state' })).toBe('État local');
});

test('every explanation of the automata has its French sentence', () => {
  const said = ['explain.rs', 'explain/farm.rs'].flatMap((file) => {
    const source = readFileSync(new URL(`../../../src/fsm/${file}`, import.meta.url), 'utf8').split('#[cfg(test)]')[0]!;
    return [...source.matchAll(/\b(?:because|advise)\(\s*(?:format!\(\s*)?"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]!.replaceAll('\\"', '"'));
  });
  expect(said.length).toBeGreaterThan(40);
  // Numbers that stand in a text by name.
  const known = new Set(Object.keys(sentences).map((text) => text.replace(/\{\w*\}/g, '{}')));
  // A sentence is not taken for a shorter one that fits it too.
  lang.value = 'fr';
  const place = (text: string): string => text.replace(/\{\w*\}/g, 'x1');
  const first = Object.entries(sentences).filter(([english, french]) => translated(place(english)) !== french.replace(/\$\d/g, 'x1'));
  expect(first).toEqual([]);
  expect(said.filter((text) => !known.has(text.replace(/\{\w*\}/g, '{}')))).toEqual([]);
});

test('the delivered templates say what they are in French too', () => {
  lang.value = 'fr';
  const modules = new URL('../../../conf/modules/', import.meta.url);
  const told = readdirSync(modules).map((name) => {
    const text = readFileSync(new URL(`${name}/conf/userconfig.xml`, modules), 'utf8');
    const description = /<!--([^]*?)-->/.exec(text)![1]!.trim().split(/\s+/).join(' ');
    return [describedOf({ name, description }), description] as const;
  });
  expect(told.length).toBeGreaterThan(5);
  expect(told.filter(([french, english]) => english.toLowerCase().endsWith(french.toLowerCase()))).toEqual([]);
  expect(describedOf({ name: 'mine', description: 'mine: does something' })).toBe('Does something');
});
