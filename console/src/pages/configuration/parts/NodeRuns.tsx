import { useState } from 'preact/hooks';
import type { ModuleFile, ModuleFiles } from '../../../api/types';
import { t } from '../../../i18n';
import { Button } from '../../../ui';
import { NodeConflict } from './NodeConflict';
import { RunList } from './RunList';
import type { Run, Runs } from './runs';

/** Steps on nodes. One that holds what nobody here has seen is compared with mine, then replaced or taken over. */
export function NodeRuns({ runs, mine, load, shown, onTake }: {
  runs: Runs;
  mine: ModuleFile[];
  /** What a node holds. */
  load: (node: string) => Promise<ModuleFiles>;
  /** What a node holds has been seen: it may be replaced now. */
  shown: (node: string, signature: string) => void;
  onTake: (theirs: ModuleFiles) => void;
}) {
  const [compared, setCompared] = useState<Run | null>(null);
  return (
    <>
      <RunList
        runs={runs}
        more={(run) => run.node && run.outcome?.conflict !== undefined && (
          <Button size="small" icon="search" disabled={runs.busy} onClick={() => setCompared(run)}>{t('conflict.open')}</Button>
        )}
      />
      {compared && (
        <NodeConflict
          node={compared.node!}
          load={() => load(compared.node!)}
          mine={mine}
          onClose={() => setCompared(null)}
          onOverwrite={(signature) => {
            shown(compared.node!, signature);
            setCompared(null);
            void runs.retry(compared.id);
          }}
          onTake={(found) => {
            shown(compared.node!, found.signature);
            onTake(found);
          }}
        />
      )}
    </>
  );
}
