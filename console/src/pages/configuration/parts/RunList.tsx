import { duration } from '../../../format';
import { t } from '../../../i18n';
import { Badge, Button, ErrorBox, said, useNow } from '../../../ui';
import type { Run, Runs } from './runs';

/** How far an action is, step by step, with what each node said. */
export function RunList({ runs }: { runs: Runs }) {
  return (
    <ol class="runs" aria-live="polite">
      {runs.runs.map((run) => (
        <Line key={run.id} run={run} retry={() => void runs.retry(run.id)} busy={runs.busy} />
      ))}
    </ol>
  );
}

function Line({ run, retry, busy }: { run: Run; retry: () => void; busy: boolean }) {
  const output = run.outcome ? said(run.outcome) : [];
  return (
    <li class={`run ${run.state}`} data-testid={`run-${run.id}`}>
      <div class="run-head">
        <strong>{run.label}</strong>
        <State run={run} />
        {run.state === 'bad' && (
          <Button size="small" icon="refresh" onClick={retry} disabled={busy}>
            {t('ui.retry')}
          </Button>
        )}
      </div>
      {run.problem && <ErrorBox error={run.problem} />}
      {output.length > 0 && (
        <details open={run.state === 'bad'}>
          <summary>{t('configuration.output')}</summary>
          <pre tabIndex={0}>{output.join('\n')}</pre>
        </details>
      )}
    </li>
  );
}

function State({ run }: { run: Run }) {
  const took = run.took !== null && run.took >= 1000 ? ` · ${duration(run.took / 1000)}` : '';
  if (run.state === 'running') return <Running since={run.since ?? Date.now()} />;
  if (run.state === 'good') return <Badge tone="good" icon="check">{t('outcome.ok') + took}</Badge>;
  if (run.state === 'bad') return <Badge tone="bad" icon="x">{t('configuration.failed') + took}</Badge>;
  return <Badge icon="clock">{t(run.state === 'skipped' ? 'configuration.skipped' : 'configuration.waiting')}</Badge>;
}

function Running({ since }: { since: number }) {
  const seconds = (useNow() - since) / 1000;
  return (
    <span class="run-now" role="status">
      <span class="ring" aria-hidden="true" />
      <span>{t('configuration.running')}</span>
      {seconds >= 1 && <span class="run-time" aria-hidden="true">{duration(seconds)}</span>}
    </span>
  );
}
