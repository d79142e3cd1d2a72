import type { ComponentChildren } from 'preact';
import { bytes, duration } from '../../../format';
import { t } from '../../../i18n';
import { Badge, Button, ErrorBox, Progress, said, useNow } from '../../../ui';
import type { Run, Runs } from './runs';

/** How far an action is, step by step, with what each node said. */
export function RunList({ runs, more = () => null }: {
  runs: Runs;
  /** What else can be done about a step that failed. */
  more?: (run: Run) => ComponentChildren;
}) {
  return (
    <ol class="runs" aria-live="polite">
      {runs.runs.map((run) => (
        <Line key={run.id} run={run} retry={() => void runs.retry(run.id)} busy={runs.busy} more={more(run)} />
      ))}
    </ol>
  );
}

function Line({ run, retry, busy, more }: { run: Run; retry: () => void; busy: boolean; more: ComponentChildren }) {
  const output = run.outcome ? said(run.outcome) : [];
  return (
    <li class={`run ${run.state}`} data-testid={`run-${run.id}`}>
      <div class="run-head">
        <strong>{run.label}</strong>
        <State run={run} />
        {run.state === 'bad' && more}
        {run.state === 'bad' && (
          <Button size="small" icon="refresh" onClick={retry} disabled={busy}>
            {t('ui.retry')}
          </Button>
        )}
      </div>
      {run.state === 'running' && run.moved && <Transferred moved={run.moved} />}
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

/** How far something large is. */
export function Transferred({ moved: [done, all] }: { moved: [number, number] }) {
  return (
    <div class="stack">
      <Progress value={(100 * done) / Math.max(all, 1)} label={t('configuration.transferred', { done: bytes(done), all: bytes(all) })} />
      <small class="muted">{t('configuration.transferred', { done: bytes(done), all: bytes(all) })}</small>
    </div>
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
