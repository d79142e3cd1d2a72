import type { TemplateRow } from '../api/types';
import { lang } from '.';
import { templates } from './fr/templates';
import { tie } from './fr/tie';

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A sentence of the web service, which is in the language of the page, as one of its own. */
export function told(sentence: string): string {
  return upper(lang.value === 'fr' ? tie(sentence) : sentence);
}

/** What a template says of itself, without its name once more; in the language of the page when it is a delivered one. */
export function describedOf({ name, description }: Pick<TemplateRow, 'name' | 'description'>): string {
  const [named = '', rest = description] = /^([\w.-]+): (.*)$/s.exec(description)?.slice(1) ?? [];
  const known = lang.value === 'fr' ? templates[upper(rest)] : undefined;
  return known ?? upper(named === name ? rest : description);
}
