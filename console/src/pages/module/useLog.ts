import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api } from '../../api/api';
import { path } from '../../api/client';
import { follow, type Connection } from '../../api/stream';
import type { LogLine } from '../../api/types';
import { lang } from '../../i18n';
import { through } from '../../state/cluster';
import { LogFeed } from '../../state/logfeed';

export interface LogView {
  feed: LogFeed;
  connection: Signal<Connection>;
}

const NONE = signal<Connection>({ state: 'connecting' });

/** The main log of a module on a node, with what comes. */
export function useLog(module: string, node: string): LogView {
  const language = lang.value;
  const [connection, setConnection] = useState<Signal<Connection>>(NONE);
  const feed = useMemo(
    () => new LogFeed((query) => api.log(through(node), module, { ...query, lang: language })),
    [module, node, language],
  );
  useEffect(() => {
    const stream = follow(path`/modules/${module}/log/events`, {
      node: through(node),
      query: { lang: language, count: 0 },
      // What was said while the stream was closed is read once it is open: nothing is missed.
      onOpen: () => void feed.opened(),
      read: () => void feed.opened(),
      onEvent: (event) => {
        if (event.event === 'log') feed.came(JSON.parse(event.data) as LogLine[]);
      },
    });
    setConnection(stream.connection);
    return () => stream.close();
  }, [feed]);
  return { feed, connection };
}
