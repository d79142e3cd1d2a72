import { useEffect, useState } from 'preact/hooks';
import { asProblem } from '../../../api/problem';
import type { Fault } from '../../../api/types';

/** Time without a keystroke after which the server is asked. */
const PAUSE_MS = 500;

export interface Checked {
  faults: readonly Fault[];
  /** The text of now is not checked yet. */
  checking: boolean;
  /** The server could not be asked. */
  problem: unknown;
}

/** The faults that the parser of the server finds in a text, while it is edited. */
export function useCheck(text: string, ask: (text: string, signal: AbortSignal) => Promise<{ faults: Fault[] }>): Checked {
  const [found, setFound] = useState<Checked>({ faults: [], checking: true, problem: null });
  useEffect(() => {
    const abort = new AbortController();
    setFound((before) => ({ ...before, checking: true }));
    const timer = setTimeout(() => {
      ask(text, abort.signal).then(
        ({ faults }) => !abort.signal.aborted && setFound({ faults, checking: false, problem: null }),
        (error: unknown) => !abort.signal.aborted && setFound({ faults: [], checking: false, problem: asProblem(error) }),
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  return found;
}
