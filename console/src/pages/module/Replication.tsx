import { useEffect, useState } from 'preact/hooks';
import { api } from '../../api/api';
import type { ModuleOverview, StateReport } from '../../api/types';
import { bytes, duration, number, rate } from '../../format';
import { t } from '../../i18n';
import { through } from '../../state/cluster';
import { percentOf } from '../../state/service';
import { Badge, Card, Empty, Facts, Progress } from '../../ui';
import { Plot, type NamedSeries } from './Plot';

const RATES = ['rfs.rep_bandwidth', 'rfs.rei_bandwidth', 'rfs.netout_bandwidth', 'rfs.netin_bandwidth'] as const;
type Rate = (typeof RATES)[number];
/** Points of the past that are read, and those that a plot holds. */
const PAST = 300;
const MOST = 1200;

/** Replicated directories: their state, the reintegration, the bandwidth. */
export function Replication({ module, node, state }: { module: ModuleOverview; node: string; state: StateReport }) {
  const value = (name: string) => state.resources.find((r) => r.resource === name)?.value;
  return (
    <div class="stack">
      <div class="columns">
        <Card title={t('replication.state')} icon="sync">
          <Facts
            facts={[
              [t('replication.uptodate'), <Verdict key="u" good={value('rfs.uptodate') === 'up'} yes={t('data.uptodate')} no={t('data.stale')} />],
              [t('replication.degraded'), <Verdict key="d" good={value('rfs.degraded') !== 'up'} yes={t('replication.degraded.no')} no={t('replication.degraded.yes')} />],
              [t('replication.last'), module.progress ? <Badge key="l" tone="info" icon="refresh">{t('replication.progress')}</Badge> : <Verdict key="l" good={value('rfs.reintegre_failed') !== 'true'} yes={t('replication.last.ok')} no={t('replication.last.failed')} />],
            ]}
          />
        </Card>
        <ReintegrationCard module={module} />
      </div>
      <Bandwidth module={module.module} node={node} state={state} />
    </div>
  );
}

function Verdict({ good, yes, no }: { good: boolean; yes: string; no: string }) {
  return <Badge tone={good ? 'good' : 'bad'} icon={good ? 'check' : 'x'}>{good ? yes : no}</Badge>;
}

function ReintegrationCard({ module }: { module: ModuleOverview }) {
  const progress = module.progress;
  if (!progress) return <Card title={t('replication.reintegration')} icon="refresh"><p class="muted">{t('replication.progress.none')}</p></Card>;
  const percent = percentOf(progress);
  return (
    <Card title={t('replication.progress')} icon="refresh" actions={percent !== null && <strong class="percent">{percent} %</strong>}>
      <div class="stack">
        <Progress value={percent} label={t('replication.progress')} />
        <Facts
          facts={[
            [t('replication.rate'), `${bytes(progress.rate)}/s`],
            [t('replication.left'), progress.left === null ? '–' : duration(progress.left)],
            [t('replication.copied'), bytes(progress.copied)],
            [t('replication.compared'), bytes(progress.compared)],
            [t('replication.files'), t('progress.files', { done: number(progress.files), known: number(progress.files_known) })],
          ]}
        />
      </div>
    </Card>
  );
}

function Bandwidth({ module, node, state }: { module: string; node: string; state: StateReport }) {
  const points = useRates(module, node, state);
  const now = (name: Rate) => Number(state.resources.find((r) => r.resource === name)?.value ?? NaN);
  const names: Record<Rate, string> = {
    'rfs.rep_bandwidth': t('replication.writes'),
    'rfs.rei_bandwidth': t('replication.reintegration'),
    'rfs.netout_bandwidth': t('replication.out'),
    'rfs.netin_bandwidth': t('replication.in'),
  };
  const series = RATES.filter((r) => (points[r]?.times.length ?? 0) > 0).map((r): NamedSeries => ({ name: names[r], ...points[r]! }));
  const current = RATES.filter((r) => Number.isFinite(now(r))).map((r): [string, string] => [names[r], rate(now(r))]);
  return (
    <Card title={t('replication.bandwidth')} icon="activity">
      {series.length === 0 ? (
        <Empty icon="activity" title={t('replication.none')}><p>{t('replication.none.text')}</p></Empty>
      ) : (
        <div class="stack">
          <Facts facts={current} />
          <Plot label={t('replication.bandwidth')} series={series} unit="rate" height={260} />
        </div>
      )}
    </Card>
  );
}

type Points = Partial<Record<Rate, { times: number[]; values: number[]; words: null }>>;

/** The rates of the past, then those that come. */
function useRates(module: string, node: string, state: StateReport): Points {
  const [points, setPoints] = useState<Points>({});
  useEffect(() => {
    setPoints({});
    for (const name of RATES) {
      api.history(through(node), module, name, PAST).then(
        (rows) => {
          if (rows.length === 0) return;
          const read = { times: rows.map((r) => r.micros / 1e6), values: rows.map((r) => Number(r.value) || 0), words: null };
          setPoints((old) => ({ ...old, [name]: old[name] ? joined(read, old[name]) : read }));
        },
        // A rate without a past begins now.
        () => {},
      );
    }
  }, [module, node]);
  useEffect(() => {
    const time = Date.now() / 1000;
    setPoints((old) => {
      const next = { ...old };
      for (const name of RATES) {
        const value = Number(state.resources.find((r) => r.resource === name)?.value ?? NaN);
        if (Number.isFinite(value)) next[name] = joined(old[name], { times: [time], values: [value], words: null });
      }
      return next;
    });
  }, [state]);
  return points;
}

type Part = NonNullable<Points[Rate]>;

function joined(before: Part | undefined, after: Part): Part {
  if (!before) return after;
  return {
    times: [...before.times, ...after.times].slice(-MOST),
    values: [...before.values, ...after.values].slice(-MOST),
    words: null,
  };
}
