import { stamp } from '../../../format';

/** A date of the server as people read it. */
export function serverDate(date: string | number | null | undefined): string {
  if (typeof date === 'number') return stamp(date);
  // The text is in the time of the server, without its zone: it is shown as it is.
  const time = date ? Date.parse(date.slice(0, 19).replace(' ', 'T')) : NaN;
  return Number.isNaN(time) ? (date || '—') : stamp(time / 1000);
}
