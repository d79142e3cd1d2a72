import { lang, tn } from './i18n';

const locale = (): string => (lang.value === 'fr' ? 'fr-FR' : 'en-GB');

/** 1234567 -> 1.2 MB, by steps of 1024. */
export function bytes(n: number): string {
  const units = lang.value === 'fr' ? ['o', 'Ko', 'Mo', 'Go', 'To'] : ['B', 'KB', 'MB', 'GB', 'TB'];
  let [value, unit] = [n, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${number(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** Kilobytes a second as a rate. */
export function rate(kilobytes: number): string {
  return `${bytes(kilobytes * 1024)}/s`;
}

export function number(n: number, digits = 0): string {
  return n.toLocaleString(locale(), { maximumFractionDigits: digits });
}

/** Seconds as `45 s`, `3 min 20 s`, `2 h 05 min`, `3 days`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${pad(Math.floor((s % 3600) / 60))} min`;
  return tn('time.days', Math.floor(s / 86_400));
}

const pad = (n: number): string => String(n).padStart(2, '0');

/** Time of day, of milliseconds. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString(locale(), { hour12: false });
}

/** Local date and time of a Unix time in seconds. */
export function stamp(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'medium' });
}

/** Dates of the server are text in its local time: milliseconds, without its time zone. */
export function serverTime(date: string): number | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?/.exec(date);
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const micro = Number((parts[7] ?? '').padEnd(6, '0'));
  return Date.UTC(year, month - 1, day, hour, minute, second) + Math.floor(micro / 1000);
}

/** Seconds from one date of the server to another one; null when either is no date. */
export function elapsed(from: string, to: string): number | null {
  const [a, b] = [serverTime(from), serverTime(to)];
  return a === null || b === null ? null : Math.max(0, (b - a) / 1000);
}

/** `2024-02-13 09:03:12.123456` as `09:03:12` when it is of the same day as `now`, else with its date. */
export function shortDate(date: string, now: string): string {
  const whole = date.slice(0, 19).replace('T', ' ');
  return now.slice(0, 10) === whole.slice(0, 10) ? whole.slice(11) : whole;
}


/** Today as the first part of a date of the server, if it lives in the time zone of the browser. */
export function today(): string {
  const now = new Date();
  return `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
}
