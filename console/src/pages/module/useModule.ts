import { useEffect, useState } from 'preact/hooks';
import { path } from '../../api/client';
import { follow } from '../../api/stream';
import type { StateReport } from '../../api/types';
import { through } from '../../state/cluster';

/** State and resources of a module on a node, as they are now; null before the first word. */
export function useModuleState(module: string, node: string): StateReport | null {
  const [state, setState] = useState<StateReport | null>(null);
  useEffect(() => {
    setState(null);
    const stream = follow(path`/modules/${module}/events`, {
      node: through(node),
      onEvent: (event) => {
        if (event.event === 'state') setState(JSON.parse(event.data) as StateReport);
      },
    });
    return () => stream.close();
  }, [module, node]);
  return state;
}
