import { computed, signal } from '@preact/signals';
import { isLang, lang, preferredLang, type Lang } from './i18n';
import { recall, remember } from './theme';

const ROOT = '/console';
const LANGUAGE = 'safekit.language';

/** Address of the page below /console/<lang>, and its query. */
const location_ = signal({ path: '/monitoring', query: new URLSearchParams() });

/** Parts of the address after the language: ['monitoring', 'modules', 'mirror', ...]. */
export const route = computed(() => location_.value.path.split('/').filter(Boolean).map(decoded));
export const query = computed(() => location_.value.query);

/** A part of an address that is not well escaped is taken as it is: there is no such page. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Asked before the page is left; the answer false keeps it. One guard at a time. */
type Guard = () => boolean | Promise<boolean>;
let guard: Guard | null = null;
let shown = '';

/** While set, leaving the page asks first (unsaved changes). Give null to remove it. */
export function guardLeaving(ask: Guard | null): void {
  guard = ask;
}

/** Address of a page: href`/monitoring/modules/${name}` in the language of now. */
export function href(path: string, language: Lang = lang.value): string {
  return `${ROOT}/${language}${path}`;
}

/** This page on another node, by the node's address: the port of the console is the same on all. */
export function onNode(address: string): string {
  const { protocol, port, pathname } = window.location;
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return `${protocol}//${host}${port ? `:${port}` : ''}${pathname}`;
}

/** Path from parts, each escaped. */
export function pathOf(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** Shows another page. */
export async function go(path: string, options: { replace?: boolean; force?: boolean } = {}): Promise<void> {
  if (!options.force && !(await mayLeave())) return;
  show(href(path), options.replace ?? false);
  window.scrollTo(0, 0);
}

/** The same page in another language, in which this browser begins from now on. */
export function switchLang(language: Lang): void {
  remember(LANGUAGE, language);
  const { path } = location_.peek();
  show(`${ROOT}/${language}${path}${window.location.search}`, true);
}

/** Changes the query of the page without a new entry in the history. */
export function setQuery(values: Record<string, string | null>): void {
  const next = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  const tail = next.toString();
  show(window.location.pathname + (tail ? `?${tail}` : ''), true);
}

/** Reads the address and follows links and the buttons of the browser. */
export function startRouter(): void {
  read();
  window.addEventListener('popstate', () => void back());
  document.addEventListener('click', onClick);
  window.addEventListener('beforeunload', (event) => {
    if (guard) event.preventDefault();
  });
}

async function back(): Promise<void> {
  if (await mayLeave()) read();
  else window.history.pushState(null, '', shown);
}

async function mayLeave(): Promise<boolean> {
  if (guard && !(await guard())) return false;
  guard = null;
  return true;
}

function show(target: string, replace: boolean): void {
  if (replace) window.history.replaceState(null, '', target);
  else window.history.pushState(null, '', target);
  read();
}

function read(): void {
  const { pathname, search } = window.location;
  shown = pathname + search;
  const [first, ...rest] = pathname.replace(/^\/console\/?/, '').split('/');
  if (!isLang(first)) {
    const chosen = recall(LANGUAGE) ?? undefined;
    show(`${ROOT}/${isLang(chosen) ? chosen : preferredLang()}/monitoring`, true);
    return;
  }
  lang.value = first;
  const path = `/${rest.join('/')}`.replace(/\/+$/, '') || '/monitoring';
  location_.value = { path, query: new URLSearchParams(search) };
}

/** A link to another page of the console is followed without loading everything anew. */
function onClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a[href]');
  if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download')) return;
  if (link.origin !== window.location.origin || !link.pathname.startsWith(`${ROOT}/`)) return;
  const [, language, rest] = /^\/console\/([^/]+)(\/.*)?$/.exec(link.pathname) ?? [];
  if (!isLang(language) || /\.\w+$/.test(rest ?? '')) return;
  event.preventDefault();
  void go((rest ?? '/monitoring') + link.search);
}
