import { signal, type Signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../../api/api';
import { path } from '../../api/client';
import { follow, type Connection } from '../../api/stream';
import type { LogLine } from '../../api/types';
import { lang } from '../../i18n';
import { through } from '../../state/cluster';
import { merge } from '../../state/logs';

/** Messages that are read at once, and that the page holds at most. */
const CHUNK = 300;
const MOST = 5_000;

export interface LogView {
  /** Oldest first. */
  lines: LogLine[];
  error: unknown;
  loaded: boolean;
  connection: Signal<Connection>;
  /** There may be messages before the first one. */
  more: boolean;
  /** Messages that came while it was paused. */
  held: number;
  paused: boolean;
  pause(paused: boolean): void;
  older(): void;
}

const NONE = signal<Connection>({ state: 'connecting' });

/** The main log of a module on a node, with what comes. */
export function useLog(module: string, node: string): LogView {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [held, setHeld] = useState<LogLine[]>([]);
  const [paused, setPaused] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [loaded, setLoaded] = useState(false);
  const [more, setMore] = useState(true);
  const [connection, setConnection] = useState<Signal<Connection>>(NONE);
  const language = lang.value;
  const read = (before?: number) =>
    api.log(through(node), module, { count: CHUNK, lang: language, ...(before === undefined ? {} : { before }) });
  useEffect(() => {
    setLines([]);
    setHeld([]);
    const load = () =>
      read().then((found) => {
        setLines((old) => merge(old, found, MOST));
        setMore(found.length === CHUNK);
        setError(null);
        setLoaded(true);
      }, setError);
    const stream = follow(path`/modules/${module}/log/events`, {
      node: through(node),
      query: { lang: language, count: 0 },
      // What was said while the stream was closed is read once it is open: nothing is missed.
      onOpen: () => void load(),
      onEvent: (event) => {
        if (event.event === 'log') setHeld((old) => [...old, ...(JSON.parse(event.data) as LogLine[])].slice(-MOST));
      },
    });
    setConnection(stream.connection);
    return () => stream.close();
  }, [module, node, language]);
  useEffect(() => {
    if (paused || held.length === 0) return;
    setLines((old) => merge(old, held, MOST));
    setHeld([]);
  }, [paused, held]);
  const older = () => {
    read(lines[0]?.id).then((found) => {
      setLines((old) => merge(old, found, MOST));
      setMore(found.length === CHUNK);
    }, setError);
  };
  return { lines, error, loaded, connection, more, held: held.length, paused, pause: setPaused, older };
}
