import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { IconButton } from './Button';
import { Icon } from './Icon';

export interface Column<Row> {
  id: string;
  label: string;
  cell: (row: Row) => ComponentChildren;
  /** By what the column is sorted; without it, it cannot be. */
  sort?: (row: Row) => string | number;
  class?: string;
}

export interface Sort {
  column: string;
  down: boolean;
}

interface Props<Row> {
  /** Name of the table, for screen readers. */
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string | number;
  onRow?: (row: Row) => void;
  selected?: (row: Row) => boolean;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  empty?: ComponentChildren;
  class?: string;
}

/** A table; on a phone each row becomes a card with the labels of its columns. */
export function Table<Row>(props: Props<Row>) {
  const { label, columns, rows, rowKey, empty, class: className } = props;
  if (rows.length === 0 && empty) return <>{empty}</>;
  return (
    <div class={`table-frame ${className ?? ''}`}>
      <table class="table" aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} {...props} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Line key={rowKey(row)} row={row} {...props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head<Row>({ column, sort, onSort }: Props<Row> & { column: Column<Row> }) {
  const mine = sort?.column === column.id ? sort : null;
  if (!column.sort || !onSort) return <th scope="col" class={column.class}>{column.label}</th>;
  return (
    <th scope="col" class={column.class} aria-sort={mine ? (mine.down ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={() => onSort({ column: column.id, down: mine ? !mine.down : false })}>
        {column.label}
        <Icon name={mine?.down ? 'chevronDown' : 'chevronUp'} size={13} class={mine ? 'sorted' : 'unsorted'} />
      </button>
    </th>
  );
}

function Line<Row>({ row, columns, onRow, selected }: Props<Row> & { row: Row }) {
  const chosen = selected?.(row) ?? false;
  const act = onRow && {
    tabIndex: 0,
    'aria-selected': chosen,
    onClick: () => onRow(row),
    onKeyDown: (e: KeyboardEvent) => {
      if (e.key !== 'Enter' && e.key !== ' ') return;
      e.preventDefault();
      onRow(row);
    },
  };
  return (
    <tr class={`${onRow ? 'clickable' : ''} ${chosen ? 'selected' : ''}`} {...act}>
      {columns.map((column) => (
        <td key={column.id} class={column.class} data-label={column.label}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

/** Rows in the order asked for. */
export function sorted<Row>(rows: Row[], columns: Column<Row>[], sort: Sort): Row[] {
  const by = columns.find((c) => c.id === sort.column)?.sort;
  if (!by) return rows;
  const compare = (a: Row, b: Row): number => {
    const [x, y] = [by(a), by(b)];
    if (typeof x === 'number' && typeof y === 'number') return x - y;
    return String(x).localeCompare(String(y), undefined, { numeric: true });
  };
  return [...rows].sort((a, b) => (sort.down ? compare(b, a) : compare(a, b)));
}

/** Turns the pages of a table. */
export function Pager({ page, pages, onPage }: { page: number; pages: number; onPage: (page: number) => void }) {
  if (pages <= 1) return null;
  return (
    <div class="pager">
      <IconButton icon="chevronLeft" label={t('ui.previous')} disabled={page === 0} onClick={() => onPage(page - 1)} />
      <span aria-live="polite">{t('ui.page', { page: page + 1, pages })}</span>
      <IconButton icon="chevronRight" label={t('ui.next')} disabled={page >= pages - 1} onClick={() => onPage(page + 1)} />
    </div>
  );
}
