import { computed, effect, signal } from '@preact/signals';
import { api } from './api/api';
import { setCsrf, whenUnauthenticated } from './api/client';
import { noteSession } from './api/early';
import type { RoleName, Session } from './api/types';
import { lang } from './i18n';

/** Who is logged in; null before the first answer. */
export const session = signal<Session | null>(null);

/** The server knows the session of this page no more: it was not used, or the service was started again. */
export const ended = signal(false);

export const role = computed<RoleName | null>(() => (session.value?.authenticated ? session.value.role : null));

const RANK: Record<RoleName, number> = { Monitor: 0, Control: 1, Admin: 2 };

/** Whether the user may do what this role may. */
export function may(needed: RoleName): boolean {
  return role.value !== null && RANK[role.value] >= RANK[needed];
}

function take(next: Session): Session {
  setCsrf(next.csrf);
  noteSession(next.authenticated);
  session.value = next;
  ended.value = false;
  return next;
}

export async function loadSession(): Promise<Session> {
  return take(await api.session());
}

export async function login(user: string, password: string): Promise<Session> {
  return take(await api.login(user, password));
}

export async function logout(): Promise<void> {
  await api.logout();
  await loadSession();
}

// The login page appears; the page that was shown comes back after it, as its address stays.
whenUnauthenticated(() => {
  const now = session.peek();
  if (!now?.authenticated) return;
  take({ ...now, authenticated: false, role: null, csrf: null });
  ended.value = true;
});

// Its warnings are in the language in which they were asked for.
let told = lang.peek();
effect(() => {
  if (lang.value === told) return;
  told = lang.value;
  if (session.peek()) void loadSession().catch(() => {});
});
