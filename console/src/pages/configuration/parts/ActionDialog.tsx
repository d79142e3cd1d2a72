import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../i18n';
import { Button, Checkbox, Dialog } from '../../../ui';
import { RunList } from './RunList';
import { useRuns, type Stage } from './runs';

export interface NodeChoice {
  node: string;
  checked: boolean;
  /** Why it cannot be chosen. */
  why?: string | undefined;
}

/** Asks, then shows how far the action is on each node. It stays open until everything was done. */
export function ActionDialog({ title, effects, confirm, danger, choices, children, stages, onClose }: {
  title: string;
  /** What will happen, one sentence an entry. */
  effects: string[];
  confirm: string;
  danger?: boolean;
  /** Nodes of which some are chosen; without it there is nothing to choose. */
  choices?: NodeChoice[];
  children?: ComponentChildren;
  stages: (nodes: string[]) => Stage[];
  /** `acted`: something was begun. */
  onClose: (acted: boolean) => void;
}) {
  const runs = useRuns();
  const [chosen, setChosen] = useState(() => (choices ?? []).filter((c) => c.checked && !c.why).map((c) => c.node));
  const began = runs.runs.length > 0;
  const close = () => {
    if (!runs.busy) onClose(began);
  };
  const toggle = (node: string, on: boolean) => setChosen((all) => (on ? [...all, node] : all.filter((other) => other !== node)));
  const actions = began ? (
    <Button variant="primary" onClick={close} disabled={runs.busy} busy={runs.busy}>
      {t('ui.close')}
    </Button>
  ) : (
    <>
      <Button onClick={close} autoFocus>{t('ui.cancel')}</Button>
      <Button
        variant={danger ? 'danger' : 'primary'}
        disabled={choices !== undefined && chosen.length === 0}
        onClick={() => void runs.start(stages(chosen))}
        data-testid="confirm"
      >
        {confirm}
      </Button>
    </>
  );
  return (
    <Dialog title={title} onClose={close} actions={actions}>
      {began ? (
        <RunList runs={runs} />
      ) : (
        <div class="stack">
          {effects.map((effect) => <p key={effect}>{effect}</p>)}
          {choices && (
            <fieldset class="node-choices">
              <legend>{t('configuration.onNodes')}</legend>
              {choices.map((c) => (
                <Checkbox key={c.node} checked={chosen.includes(c.node)} disabled={c.why !== undefined} onChecked={(on) => toggle(c.node, on)} {...(c.why ? { hint: c.why } : {})}>
                  {c.node}
                </Checkbox>
              ))}
            </fieldset>
          )}
          {children}
        </div>
      )}
    </Dialog>
  );
}
