import { useEffect, useState } from 'preact/hooks';
import { path } from '../../api/client';
import { follow, type Stream } from '../../api/stream';
import type { StateReport } from '../../api/types';
import { lang } from '../../i18n';
import { through } from '../../state/cluster';

export interface Followed {
  /** As it is now; null before the first word. */
  state: StateReport | null;
  /** Why nothing is heard. */
  trouble: string | null;
}

/** State and resources of a module on a node. */
export function useModuleState(module: string, node: string): Followed {
  const [state, setState] = useState<StateReport | null>(null);
  const [lost, setLost] = useState<string | null>(null);
  const [stream, setStream] = useState<Stream | null>(null);
  useEffect(() => {
    setState(null);
    const opened = follow(path`/modules/${module}/events`, {
      node: through(node),
      onEvent: (event) => {
        if (event.event === 'lost') setLost((JSON.parse(event.data) as { error: string }).error);
        if (event.event !== 'state') return;
        setLost(null);
        setState(JSON.parse(event.data) as StateReport);
      },
    });
    setStream(opened);
    return () => opened.close();
  }, [module, node, lang.value]);
  const connection = stream?.connection.value;
  return { state, trouble: connection?.state === 'reconnecting' && connection.why ? connection.why : lost };
}
