import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'safekit.theme';

/** The switch of the user, remembered by this browser. */
export const theme = signal<Theme>(remembered());

const system = signal(window.matchMedia('(prefers-color-scheme: dark)').matches);

window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (e) => (system.value = e.matches));

effect(() => {
  const dark = theme.value === 'dark' || (theme.value === 'system' && system.value);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
});

export function setTheme(next: Theme): void {
  theme.value = next;
  remember(KEY, next);
}

function remembered(): Theme {
  const text = recall(KEY);
  return text === 'light' || text === 'dark' ? text : 'system';
}

/** Browsers may forbid storage: then nothing is remembered. */
export function remember(key: string, value: string): void {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // Not remembered.
  }
}

export function recall(key: string): string | null {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
}
