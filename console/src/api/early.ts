// The first requests of a page, sent while the browser still reads the program of the pages.

const BASE = '/api/v1';
/** Set while this browser has a session: without one only the login page asks, and for no events. */
const KEY = 'safekit.session';

interface Early {
  answer: Promise<Response>;
  abort: AbortController;
}

const sent = new Map<string, Early>();

/** Asks for what every page begins with. */
export function askEarly(): void {
  const paths = hadSession() ? ['/session', '/events', '/nodes'] : ['/session'];
  for (const path of paths) {
    const abort = new AbortController();
    const answer = fetch(BASE + path, { credentials: 'same-origin', cache: 'no-store', signal: abort.signal });
    // Whoever takes it is told; what nobody takes has failed for nobody.
    answer.catch(() => {});
    sent.set(BASE + path, { answer, abort });
  }
}

/** A request that is under way already; each is given once. */
export function takeEarly(target: string): Early | null {
  const early = sent.get(target) ?? null;
  sent.delete(target);
  return early;
}

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
