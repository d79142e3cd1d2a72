import type { TemplateRow } from '../api/types';
import { lang } from '.';
import { sentences } from './fr/sentences';
import { templates } from './fr/templates';

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** French sentences with the expressions that find their English ones. */
const patterns = Object.entries(sentences).map(([english, french]) => {
  const parts = english.split(/\{\w*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [new RegExp(`^${parts.join('(.*?)')}$`), french] as const;
});

function translated(sentence: string): string {
  const known = lang.value === 'fr' ? patterns.find(([english]) => english.test(sentence)) : undefined;
  return known ? sentence.replace(known[0], known[1]) : sentence;
}

/** A sentence of the web service in the language of the page, as one of its own. */
export function told(sentence: string): string {
  return upper(translated(sentence));
}

/** What a template says of itself, without its name once more; in the language of the page when it is a delivered one. */
export function describedOf({ name, description }: Pick<TemplateRow, 'name' | 'description'>): string {
  const [named = '', rest = description] = /^([\w.-]+): (.*)$/s.exec(description)?.slice(1) ?? [];
  const known = lang.value === 'fr' ? templates[upper(rest)] : undefined;
  return known ?? upper(named === name ? rest : description);
}
