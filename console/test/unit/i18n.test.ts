import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { lang, t, tn } from '../../src/i18n';
import { en } from '../../src/i18n/en';
import { fr } from '../../src/i18n/fr';
import { describedOf, told } from '../../src/i18n/told';

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

test('what the server says begins like a sentence of the page, with the spaces of its language', () => {
  expect(told('the certificate expires in 3 days: make a new one')).toBe('The certificate expires in 3 days: make a new one');
  lang.value = 'fr';
  expect(told('le certificat expire dans 3 jours : créez-en un')).toBe('Le certificat expire dans 3 jours\u00a0: créez-en un');
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
