import { useState } from 'preact/hooks';
import { clashes, merged } from '../../../config/files';
import { t } from '../../../i18n';
import { go, href } from '../../../router';
import { Button, LinkButton, Notice } from '../../../ui';
import { configuration } from '../../../api/configuration';
import { through } from '../../../state/cluster';
import { Conflict } from '../parts/Conflict';
import { NodeRuns } from '../parts/NodeRuns';
import type { Runs } from '../parts/runs';
import { firstOf, theirsOf, type Plan } from './apply';
import { choose, draft, heldBy, rebase, setFiles, shown } from './draft';
import type { Doing, StepId } from './ModuleWizard';

/** Step 5: what became of it on each node. */
export function ResultStep({ runs, doing, plan, show, again }: {
  runs: Runs;
  doing: Doing;
  plan: Plan;
  show: (step: StepId) => void;
  again: (plan: Plan) => void;
}) {
  const [closed, setClosed] = useState(false);
  const refused = runs.runs.find((run) => run.problem?.status === 409);
  const theirs = theirsOf(refused?.problem ?? null);
  const edited = draft.value;
  const first = firstOf(refused?.id ?? '');
  const found = theirs && edited ? clashes((first ? heldBy(edited, first) : edited.base).files, theirs.files, edited.files) : [];
  const chosen = (mine: ReadonlySet<string>) => {
    if (!theirs) return;
    const files = merged(theirs.files, found, mine);
    if (first) choose(first, theirs, files);
    else rebase(theirs, files);
    again(plan);
  };
  const good = runs.done && runs.runs.every((run) => run.state === 'good');
  return (
    <div class="stack">
      <h2 class="result-title">{t(`result.${doing}`)}</h2>
      {good && <Notice tone="good" title={t(`result.${doing}.good`)}>{t(`result.${doing}.text`)}</Notice>}
      {runs.done && !good && <Notice tone="bad" title={t('configuration.someFailed')}>{t('configuration.someFailed.text')}</Notice>}
      <NodeRuns
        runs={runs}
        mine={edited?.files ?? []}
        load={(node) => configuration.files(plan.module, through(node))}
        shown={shown}
        onTake={(found) => {
          setFiles(found.files);
          show('edit');
        }}
      />
      {theirs && !closed && <Conflict clashes={found} onChosen={chosen} onClose={() => setClosed(true)} />}
      <footer class="wizard-foot">
        <Button icon="arrowLeft" disabled={runs.busy} onClick={() => show(doing === 'renew' ? 'encryption' : 'apply')}>{t('configuration.back')}</Button>
        {theirs && closed && <Button variant="primary" onClick={() => setClosed(false)}>{t('conflict.open')}</Button>}
        <span class="grow" />
        <LinkButton href={href('/configuration/modules')}>{t('result.home')}</LinkButton>
        {doing !== 'check' && <Button variant={good ? 'primary' : 'secondary'} icon="activity" disabled={runs.busy} onClick={() => void go('/monitoring')}>{t('result.monitoring')}</Button>}
      </footer>
    </div>
  );
}
