import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ErrorBox, Spinner } from '../ui';

/** A page of which the code is loaded when it is opened, or before by `preload`. */
export type LazyPage<P> = ComponentType<P> & { preload: () => void };

export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): LazyPage<P> {
  let ready: ComponentType<P> | null = null;
  const fetched = () =>
    load().then((m) => {
      ready = m.default;
      return m.default;
    });
  function Lazy(props: P) {
    const [Page, setPage] = useState<ComponentType<P> | null>(() => ready);
    const [error, setError] = useState<unknown>(null);
    const start = () => {
      setError(null);
      fetched().then((page) => setPage(() => page), setError);
    };
    useEffect(() => {
      if (!Page) start();
    }, []);
    if (Page) return <Page {...props} />;
    return error ? <ErrorBox error={error} retry={start} /> : <Spinner />;
  }
  // What cannot be had now is asked for again, and told, when the page is opened.
  return Object.assign(Lazy, { preload: () => void fetched().catch(() => {}) });
}
