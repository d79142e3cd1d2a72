// Certificates of the other nodes: one that ends there is told here. That of the connection node comes with
// the session.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api } from '../api/api';
import type { Certificate } from '../api/types';
import { lang } from '../i18n';
import { nodes, through } from './cluster';

/** The page is there first. */
const FIRST_MS = 1_500;
/** The web service itself looks once an hour. */
const AGAIN_MS = 3_600_000;

/** What is wrong with the certificate of a node, by node. */
export const doubtful = signal<ReadonlyMap<string, Certificate>>(new Map());

/** Asks the nodes that answer while the page is shown. */
export function useCertificates(): void {
  const others = nodes.value.filter((n) => n.reachable && !n.nameless && through(n.name) !== null).map((n) => n.name);
  useEffect(() => {
    const first = setTimeout(() => void look(others), FIRST_MS);
    const timer = setInterval(() => void look(others), AGAIN_MS);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [others.join(), lang.value]);
}

async function look(names: string[]): Promise<void> {
  const found = new Map<string, Certificate>();
  // One after the other: this is not urgent, and a cluster may have many nodes.
  for (const name of names) {
    const certificate = await api.certificate(name).catch(() => null);
    if (certificate?.warning) found.set(name, certificate);
  }
  doubtful.value = found;
}
