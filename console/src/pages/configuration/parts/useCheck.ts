import { useEffect, useRef, useState } from 'preact/hooks';
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
  /** Asks without a pause: whether the text has no error. */
  passes: () => Promise<boolean>;
}

type Found = Omit<Checked, 'passes'>;

/** The faults that the parser of the server finds in a text, while it is edited. */
export function useCheck(text: string, ask: (text: string, signal: AbortSignal) => Promise<{ faults: Fault[] }>): Checked {
  const [found, setFound] = useState<Found>({ faults: [], checking: true, problem: null });
  const latest = useRef(text);
  latest.current = text;
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
  const passes = async () => {
    try {
      const { faults } = await ask(text, new AbortController().signal);
      if (latest.current === text) setFound({ faults, checking: false, problem: null });
      return !faults.some((fault) => !fault.warning);
    } catch (error) {
      setFound({ faults: [], checking: false, problem: asProblem(error) });
      return false;
    }
  };
  return { ...found, passes };
}
