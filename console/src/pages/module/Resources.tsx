import { useState } from 'preact/hooks';
import type { ResourceRow, StateReport } from '../../api/types';
import { t } from '../../i18n';
import { query, setQuery } from '../../router';
import { filterResources, GROUPS, split, valueTone, type Group } from '../../state/resources';
import { Badge, Empty, Pager, SearchInput, Segmented, sorted, Table, type Column, type Sort } from '../../ui';
import { History } from './History';

const PAGE = 10;

function columns(): Column<ResourceRow>[] {
  return [
    { id: 'name', label: t('resource.name'), cell: (r) => <strong class="name">{split(r.resource).name}</strong>, sort: (r) => split(r.resource).name },
    { id: 'value', label: t('resource.value'), cell: (r) => <ResourceValue row={r} />, sort: (r) => r.value },
    { id: 'label', label: t('resource.label'), cell: (r) => r.label, sort: (r) => r.label, class: 'label' },
    { id: 'category', label: t('resource.category'), cell: (r) => <code>{split(r.resource).category}</code>, sort: (r) => r.resource, class: 'category' },
    { id: 'date', label: t('resource.date'), cell: (r) => <time class="since">{r.date?.slice(0, 19) ?? ''}</time>, sort: (r) => r.date ?? '', class: 'date' },
  ];
}

export function ResourceValue({ row }: { row: Pick<ResourceRow, 'resource' | 'value'> }) {
  const tone = valueTone(row);
  if (tone === 'neutral') return <span class="mono">{row.value}</span>;
  return <Badge tone={tone} icon={tone === 'good' ? 'check' : tone === 'bad' ? 'x' : 'refresh'}>{row.value}</Badge>;
}

/** Resources of a module and the values of one over time (WEB-32). */
export function Resources({ module, node, state }: { module: string; node: string; state: StateReport }) {
  const wanted = query.value.get('group');
  const group = GROUPS.find((g) => g === wanted) ?? 'status';
  const chosen = query.value.get('resource');
  const [text, setText] = useState('');
  const [page, setPage] = useState(0);
  const [sort, setSort] = useState<Sort>({ column: 'category', down: false });
  const all = columns();
  const found = sorted(filterResources(state.resources, group, text), all, sort);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const at = Math.min(page, pages - 1);
  const row = state.resources.find((r) => r.resource === chosen);
  return (
    <div class={`split ${row ? 'chosen' : ''}`}>
      <section class="card flush split-main resources">
        <div class="toolbar">
          <Segmented<Group>
            label={t('resource.groups')}
            value={group}
            options={GROUPS.map((g) => ({ value: g, label: t(`resource.group.${g}`) }))}
            onChange={(g) => {
              setPage(0);
              setQuery({ group: g === 'status' ? null : g });
            }}
          />
          <span class="grow hint">{row ? '' : t('resource.hint')}</span>
          <SearchInput label={t('resource.filter')} value={text} onValue={setText} />
        </div>
        <Table
          label={t('details.tab.resources')}
          columns={all}
          rows={found.slice(at * PAGE, (at + 1) * PAGE)}
          rowKey={(r) => r.resource}
          onRow={(r) => setQuery({ resource: r.resource === chosen ? null : r.resource })}
          selected={(r) => r.resource === chosen}
          sort={sort}
          onSort={setSort}
          empty={<Empty icon="filter" title={t('resource.empty')} />}
        />
        <Pager page={at} pages={pages} onPage={setPage} />
      </section>
      <History module={module} node={node} row={row ?? null} onClose={() => setQuery({ resource: null })} />
    </div>
  );
}
