import { api } from '../../api/api';
import type { RescueArchive } from '../../api/types';
import { bytes, number } from '../../format';
import { t } from '../../i18n';
import { through } from '../../state/cluster';
import { Badge, Card, CodePane, Empty, ErrorBox, Spinner, Table, useLoad } from '../../ui';

/** What was kept before it was overwritten (S6). */
export function Rescue({ module, node }: { module: string; node: string }) {
  const { data, error, reload } = useLoad(() => api.rescue(through(node), module), [module, node]);
  if (error) return <ErrorBox error={error} retry={reload} />;
  if (!data) return <Spinner />;
  if (data.length === 0) {
    return (
      <Empty icon="archive" title={t('rescue.none')}>
        <p>{t('rescue.text')}</p>
      </Empty>
    );
  }
  return (
    <div class="stack">
      <p class="muted">{t('rescue.text')}</p>
      <Card flush>
        <Table<RescueArchive>
          label={t('details.tab.rescue')}
          columns={[
            { id: 'name', label: t('rescue.name'), cell: (a) => <strong class="mono nowrap">{a.name.replace('T', ' ')}</strong> },
            { id: 'dirs', label: t('rescue.dirs'), cell: (a) => <span class="mono">{a.header.dirs.join(' ')}</span> },
            { id: 'files', label: t('rescue.files'), cell: (a) => number(a.files), class: 'number' },
            { id: 'size', label: t('rescue.size'), cell: (a) => bytes(a.bytes), class: 'number' },
            { id: 'left', label: t('rescue.leftOut'), cell: (a) => number(a.left_out), class: 'number' },
            { id: 'state', label: t('rescue.state'), cell: (a) => <State archive={a} /> },
          ]}
          rows={[...data].reverse()}
          rowKey={(a) => a.name}
        />
      </Card>
      <p class="muted">{t('rescue.how')}</p>
      <CodePane title={t('ui.onNode', { node })} text={`safekit rescue diff -m ${module}\nsafekit rescue restore -m ${module}`} />
    </div>
  );
}

function State({ archive }: { archive: RescueArchive }) {
  if (archive.header.open) return <Badge tone="info" icon="refresh">{t('rescue.open')}</Badge>;
  if (archive.read) return <Badge icon="check">{t('rescue.read')}</Badge>;
  return <Badge tone="warning" icon="warning">{t('rescue.unread')}</Badge>;
}
