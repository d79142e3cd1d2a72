import { api } from '../../api/api';
import type { HistoryRow, ResourceRow } from '../../api/types';
import { t } from '../../i18n';
import { through } from '../../state/cluster';
import { seriesOf } from '../../state/resources';
import { Empty, ErrorBox, IconButton, Spinner, Table, useLoad } from '../../ui';
import { Plot } from './Plot';
import { ResourceValue } from './Resources';
import { useReveal } from './useReveal';

const COUNT = 300;

/** Beside the resources: the values of the chosen one over time. */
export function History({ module, node, row, onClose }: { module: string; node: string; row: ResourceRow | null; onClose: () => void }) {
  const aside = useReveal<HTMLElement>(row?.resource ?? null);
  if (!row) return null;
  return (
    <aside ref={aside} class="card flush split-side" aria-label={t('resource.history')}>
      <header class="card-head">
        <h2>{row.resource}</h2>
        <div class="card-actions">
          <IconButton icon="x" label={t('ui.close')} onClick={onClose} />
        </div>
      </header>
      {row.label && <p class="pane-line">{row.label}</p>}
      <Values key={row.resource} module={module} node={node} row={row} />
    </aside>
  );
}

function Values({ module, node, row }: { module: string; node: string; row: ResourceRow }) {
  const read = () => api.history(through(node), module, row.resource, COUNT);
  const { data, error, reload } = useLoad(read, [module, node, row.resource, row.value, row.date]);
  if (error) return <div class="pad"><ErrorBox error={error} retry={reload} /></div>;
  if (!data) return <div class="pad"><Spinner /></div>;
  if (data.length === 0) return <Empty icon="activity" title={t('resource.history.none')} />;
  const newest = [...data].reverse();
  return (
    <>
      <div class="pad"><Plot label={t('resource.plot', { resource: row.resource })} series={[{ name: row.resource, ...seriesOf(data) }]} /></div>
      <Table<HistoryRow>
        label={t('resource.history')}
        columns={[
          { id: 'value', label: t('resource.value'), cell: (h) => <ResourceValue row={{ resource: row.resource, value: h.value }} /> },
          { id: 'date', label: t('log.date'), cell: (h) => <time class="since">{h.date.slice(0, 23)}</time> },
        ]}
        rows={newest.slice(0, 50)}
        rowKey={(h) => `${h.micros} ${h.value}`}
      />
    </>
  );
}
