import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ErrorBox, Spinner } from '../ui';

/** A page of which the code is loaded when it is opened. */
export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let ready: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [Page, setPage] = useState<ComponentType<P> | null>(() => ready);
    const [error, setError] = useState<unknown>(null);
    const start = () => {
      setError(null);
      load().then((m) => {
        ready = m.default;
        setPage(() => m.default);
      }, setError);
    };
    useEffect(() => {
      if (!ready) start();
    }, []);
    if (Page) return <Page {...props} />;
    return error ? <ErrorBox error={error} retry={start} /> : <Spinner />;
  };
}
