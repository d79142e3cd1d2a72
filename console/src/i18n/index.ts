import { computed, effect, signal } from '@preact/signals';
import { en } from './en';
import { fr } from './fr';

export type Lang = 'en' | 'fr';
export type Key = keyof typeof en;

/** Names in braces of a text: those of 'since {date}' are 'date'. */
type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Values<K extends Key> = Record<Names<(typeof en)[K]>, string | number>;
type Args<K extends Key> = [Names<(typeof en)[K]>] extends [never] ? [] : [Values<K>];

const DICTIONARIES: Record<Lang, Record<Key, string>> = { en, fr };

/** The language of the page, part of its address. */
export const lang = signal<Lang>('en');

const rules = computed(() => new Intl.PluralRules(lang.value));

effect(() => {
  if (globalThis.document) document.documentElement.lang = lang.value;
});

export function isLang(text: string | undefined): text is Lang {
  return text === 'en' || text === 'fr';
}

/** The language that the browser prefers. */
export function preferredLang(): Lang {
  const wanted = globalThis.navigator?.languages ?? [];
  return wanted.some((l) => l.startsWith('en')) || !wanted[0]?.startsWith('fr') ? 'en' : 'fr';
}

/** A text in the language of the page: `t('log.since', { date })`. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  return fill(DICTIONARIES[lang.value][key], args[0]);
}

/** Keys of which there is a text for one and another for many: `x_one` and `x_other`. */
type Plural = Key extends infer K ? (K extends `${infer Stem}_one` ? Stem : never) : never;

/** A text about a number of things: `tn('nodes', 3)` uses `nodes_one` or `nodes_other`, with {n}. */
export function tn(stem: Plural, n: number, values: Record<string, string | number> = {}): string {
  const form = rules.value.select(n) === 'one' ? 'one' : 'other';
  return fill(DICTIONARIES[lang.value][`${stem}_${form}` as Key], { n, ...values });
}

function fill(text: string, values: Record<string, string | number> | undefined): string {
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
