// The texts of the pages in both languages, for tests that walk through them in either.

import type { Page } from 'playwright-core';
import { en } from '../../src/i18n/en';
import { fr } from '../../src/i18n/fr';

export type Lang = 'en' | 'fr';
export type Say = (key: keyof typeof en, values?: Record<string, string | number>) => string;

const TEXTS: Record<Lang, Record<string, string>> = { en, fr };
const OTHER: Record<Lang, Lang> = { en: 'fr', fr: 'en' };
/** Words that the other language has not: sentences of the servers are not in the dictionaries. */
const WORDS: Record<Lang, RegExp> = { en: /\b(the|is|are|and|with|this|not)\b/i, fr: /\b(les|est|sont|avec|cette|ne|du)\b/i };

/** Says the texts of a language. */
export function texts(lang: Lang): Say {
  return (key, values = {}) => TEXTS[lang][key]!.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Texts with values in them as expressions that find them. */
function patterns(lang: Lang): RegExp[] {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return Object.values(TEXTS[lang]).map((text) => new RegExp(`^${text.split(/\{\w+\}/).map(literal).join('.+')}$`, 's'));
}

/** What the page shows that is not in this language, names and code left out. */
export async function foreign(page: Page, lang: Lang): Promise<string[]> {
  const shown = await page.evaluate(() => {
    const found: string[] = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (node instanceof Element) {
        for (const name of ['title', 'aria-label', 'placeholder']) found.push(node.getAttribute(name) ?? '');
      } else if (!node.parentElement!.closest('noscript, code, pre, .mono, .cm-editor, .log-text')) found.push(node.textContent ?? '');
    }
    return [...new Set(found.map((text) => text.trim()).filter(Boolean))];
  });
  const [own, other] = [patterns(lang), patterns(OTHER[lang])];
  const known = (text: string) => own.some((pattern) => pattern.test(text));
  return shown.filter((text) => !known(text) && (other.some((pattern) => pattern.test(text)) || WORDS[OTHER[lang]].test(text)));
}
