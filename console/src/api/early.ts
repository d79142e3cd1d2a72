// The first requests of a page, sent while the browser still reads the program of the pages.

const BASE = '/api/v1';
/** Set while this browser has a session: without one only the login page asks, and for no events. */
const KEY = 'safekit.session';

interface Early {
  /** Of the texts in the answer. */
  lang: string;
  answer: Promise<Response>;
  abort: AbortController;
}

const sent = new Map<string, Early>();

/** Asks for what every page begins with. */
export function askEarly(): void {
  const paths = hadSession() ? ['/session', '/events', '/nodes'] : ['/session'];
  const lang = languageOf(globalThis.location?.pathname ?? '');
  for (const path of paths) {
    const abort = new AbortController();
    const answer = fetch(BASE + path, { headers: { 'Accept-Language': lang }, credentials: 'same-origin', cache: 'no-store', signal: abort.signal });
    // Whoever takes it is told; what nobody takes has failed for nobody.
    answer.catch(() => {});
    sent.set(BASE + path, { lang, answer, abort });
  }
}

/** A request that is under way already in the language of the page; each is given once. */
export function takeEarly(target: string, lang: string): Early | null {
  const early = sent.get(target);
  sent.delete(target);
  if (!early || early.lang === lang) return early ?? null;
  early.abort.abort();
  return null;
}

/** The language of the page at an address, as far as that says it. */
const languageOf = (pathname: string): string => (/^\/console\/fr(\/|$)/.test(pathname) ? 'fr' : 'en');

/** Gives back what nobody will ask for. */
export function dropEarly(): void {
  for (const { abort } of sent.values()) abort.abort();
  sent.clear();
}

/** Remembers for the next page whether there is a session. */
export function noteSession(there: boolean): void {
  try {
    if (there) window.localStorage.setItem(KEY, 'yes');
    else window.localStorage.removeItem(KEY);
  } catch {
    // A browser that forbids storage asks a little later.
  }
}

function hadSession(): boolean {
  try {
    return window.localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}
