import { useEffect, useState } from 'preact/hooks';
import { api } from '../../api/api';
import { path } from '../../api/client';
import { asProblem } from '../../api/problem';
import type { ServerEvent } from '../../api/sse';
import { follow, type Stream } from '../../api/stream';
import type { StateReport } from '../../api/types';
import { lang } from '../../i18n';
import { through } from '../../state/cluster';

export interface Followed {
  /** As it is now; null before the first word, and for a module that is not configured. */
  state: StateReport | null;
  /** Why nothing is heard, or there is no state. */
  trouble: string | null;
}

const NOTHING: Followed = { state: null, trouble: null };

/** State and resources of a module on a node. */
export function useModuleState(module: string, node: string): Followed {
  const [followed, setFollowed] = useState(NOTHING);
  const [stream, setStream] = useState<Stream | null>(null);
  useEffect(() => {
    setFollowed(NOTHING);
    const take = (state: StateReport) => setFollowed({ state, trouble: null });
    const trouble = (error: unknown) => setFollowed(({ state }) => ({ state, trouble: asProblem(error).message }));
    const opened = follow(path`/modules/${module}/events`, {
      node: through(node),
      read: () => void api.state(through(node), module).then(take, trouble),
      onEvent: (event) => setFollowed((before) => heard(before, event)),
    });
    setStream(opened);
    return () => opened.close();
  }, [module, node, lang.value]);
  const connection = stream?.connection.value;
  return connection?.state === 'reconnecting' && connection.why ? { ...followed, trouble: connection.why } : followed;
}

/** What is known after an event of the stream. */
export function heard(before: Followed, { event, data }: ServerEvent): Followed {
  if (event === 'state') return { state: JSON.parse(data) as StateReport, trouble: null };
  if (event !== 'lost' && event !== 'unconfigured') return before;
  const trouble = (JSON.parse(data) as { error: string }).error;
  return { state: event === 'lost' ? before.state : null, trouble };
}
