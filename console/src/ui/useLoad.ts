import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Loaded<T> {
  /** What was read last; stays while it is read again. */
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/** Reads something when the page appears, and again when the dependencies change. */
export function useLoad<T>(read: () => Promise<T>, dependencies: unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({ data: null, error: null, loading: true });
  const turn = useRef(0);
  const load = useCallback(() => {
    const mine = ++turn.current;
    const still = () => mine === turn.current;
    setState((s) => ({ ...s, loading: true }));
    read().then(
      (data) => still() && setState({ data, error: null, loading: false }),
      (error: unknown) => still() && setState((s) => ({ data: s.data, error, loading: false })),
    );
  }, dependencies);
  useEffect(() => {
    setState({ data: null, error: null, loading: true });
    load();
    return () => void turn.current++;
  }, [load]);
  return { ...state, reload: load };
}
