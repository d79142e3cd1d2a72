import { useRef, useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import type { Probe } from '../../../api/types';
import { isAddress } from '../../../config/validate';
import { problemTitle } from '../../../ui';

/** What is known of the server at an address. */
export type Reach = { state: 'asking' } | { state: 'good'; probe: Probe } | { state: 'bad'; why: string };

export interface Probes {
  of: (addr: string) => Reach | undefined;
  /** Asks, unless the answer is known; the host name of the server that is there. */
  ask: (addr: string, again?: boolean) => Promise<string | null>;
}

/** Asks servers whether they are there, through the connection node. */
export function useProbes(): Probes {
  const [known, setKnown] = useState<Record<string, Reach>>({});
  const now = useRef(known);
  now.current = known;
  const set = (addr: string, reach: Reach) => setKnown((all) => ({ ...all, [addr]: reach }));
  const ask = async (addr: string, again = false): Promise<string | null> => {
    const before = now.current[addr];
    if (!isAddress(addr) || before?.state === 'asking') return null;
    if (before?.state === 'good' && !again) return before.probe.hostname;
    set(addr, { state: 'asking' });
    try {
      const probe = await configuration.probe(addr);
      set(addr, probe.reachable ? { state: 'good', probe } : { state: 'bad', why: probe.error ?? '' });
      return probe.reachable ? probe.hostname : null;
    } catch (error) {
      set(addr, { state: 'bad', why: problemTitle(error) });
      return null;
    }
  };
  return { of: (addr) => known[addr], ask };
}
