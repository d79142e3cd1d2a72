import { useEffect, useState } from 'preact/hooks';
import { duration } from '../format';
import { t } from '../i18n';

/** The time, every second. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** What is going on, and for how long. */
export function Spinner({ text, since }: { text?: string; since?: number }) {
  const [born] = useState(Date.now());
  const seconds = (useNow() - (since ?? born)) / 1000;
  return (
    <div class="spinner" role="status">
      <span class="ring" aria-hidden="true" />
      <span>{text ?? t('ui.loading')}</span>
      {seconds >= 2 && <span class="spinner-time" aria-hidden="true">{duration(seconds)}</span>}
    </div>
  );
}
