import { useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import type { Holding, NodeRow } from '../../../api/types';
import { t } from '../../../i18n';
import { ActionDialog } from '../parts/ActionDialog';
import { outcomeOf, type Step } from '../parts/runs';
import { seen } from './draft';

interface Props {
  nodes: NodeRow[];
  onClose: (acted: boolean) => void;
}

/** Applies the configuration of a node, of the connection node when none is named, on another one, if that holds what is expected. */
export function deployStep(node: string, from: string | null, holding: () => Holding): Step {
  return { id: node, label: node, node, task: async () => outcomeOf((await configuration.deployCluster(from, [node], holding())).results, node) };
}

/** The same configuration on all nodes again (7.13). */
export function Deploy({ nodes, onClose }: Props) {
  // What the page shows when it is asked for.
  const [expected] = useState(seen);
  return (
    <ActionDialog
      title={t('cluster.deploy')}
      effects={[t('cluster.deploy.effect')]}
      confirm={t('cluster.deploy.do')}
      choices={nodes.map((node) => ({ node: node.node, checked: true }))}
      stages={(names) => [names.map((node) => deployStep(node, null, () => ({ [node]: expected[node] ?? [''] })))]}
      onClose={onClose}
    />
  );
}

/** Takes nodes out of the cluster. */
export function Unconfigure({ nodes, onClose }: Props) {
  const step = (node: string): Step => ({
    id: node,
    label: node,
    task: async () => outcomeOf((await configuration.unconfigureCluster([node])).results, node),
  });
  // The connection node last: without a cluster it does not know the others any more.
  const stages = (names: string[]) => {
    const mine = nodes.find((node) => node.me)?.node;
    return [names.filter((node) => node !== mine), names.filter((node) => node === mine)]
      .filter((stage) => stage.length > 0)
      .map((stage) => stage.map(step));
  };
  return (
    <ActionDialog
      title={t('cluster.unconfigure')}
      effects={[t('cluster.unconfigure.effect'), t('cluster.unconfigure.modules')]}
      confirm={t('cluster.unconfigure.do')}
      danger
      choices={nodes.map((node) => ({ node: node.node, checked: false }))}
      stages={stages}
      onClose={onClose}
    />
  );
}
