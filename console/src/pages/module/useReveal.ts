import { useEffect, useRef } from 'preact/hooks';

/** Below this width what belongs to a chosen row lies above or below it. */
const SIDE_BY_SIDE = 1100;

/** Brings an element into view when it appears, unless it lies beside what was chosen. */
export function useReveal<E extends HTMLElement>(what: unknown) {
  const element = useRef<E>(null);
  useEffect(() => {
    if (what !== null && window.innerWidth <= SIDE_BY_SIDE) element.current?.scrollIntoView({ block: 'center' });
  }, [what]);
  return element;
}
