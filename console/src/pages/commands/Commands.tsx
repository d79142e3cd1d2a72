import { useEffect, useState } from 'preact/hooks';
import { api } from '../../api/api';
import { duration } from '../../format';
import { lang, t } from '../../i18n';
import { query, setQuery } from '../../router';
import { known, nodes, through } from '../../state/cluster';
import { byDate, entriesOf, filterEntries, type CommandEntry } from '../../state/commandlog';
import { Badge, Button, Card, Checkbox, Empty, ErrorBox, Notice, PageHead, Pager, SearchInput, Select, Spinner, Table, useLoad, type Column } from '../../ui';

const COUNT = 500;
const PAGE = 25;
const AGAIN_MS = 10_000;

interface Found {
  entries: CommandEntry[];
  failed: { node: string; error: unknown }[];
}

/** Commands that changed something, on one or all nodes (10.9). */
export function Commands() {
  useEffect(() => {
    document.title = `${t('nav.commands')} · SafeKit`;
  }, [lang.value]);
  const wanted = query.value.get('node') ?? '';
  const names = nodes.value.filter((n) => n.reachable).map((n) => n.name);
  const silent = nodes.value.filter((n) => !n.reachable && n.seen !== null && (!wanted || n.name === wanted)).map((n) => n.name);
  const asked = wanted ? names.filter((n) => n === wanted) : names;
  const { data, error, loading, reload } = useLoad(() => read(asked), [asked.join()]);
  useEffect(() => {
    const timer = setInterval(reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <>
      <PageHead
        title={t('nav.commands')}
        help="commands"
        subtitle={t('commands.subtitle')}
        actions={<Button icon="refresh" busy={loading && data !== null} onClick={reload}>{t('ui.refresh')}</Button>}
      />
      {error !== null && <ErrorBox error={error} retry={reload} />}
      {silent.length > 0 && <Notice tone="warning">{t('commands.silent', { nodes: silent.join(', ') })}</Notice>}
      {data?.failed.map(({ node, error: why }) => (
        <ErrorBox key={node} error={why} />
      ))}
      {!known.value || !data ? <Spinner /> : <List data={data} node={wanted} names={nodes.value.map((n) => n.name)} />}
    </>
  );
}

async function read(names: string[]): Promise<Found> {
  const found: Found = { entries: [], failed: [] };
  const lists = await Promise.all(
    names.map((node) =>
      api.commands(through(node), COUNT).then(
        (rows) => entriesOf(node, rows),
        (error: unknown) => {
          found.failed.push({ node, error });
          return [];
        },
      ),
    ),
  );
  return { ...found, entries: byDate(lists) };
}

function List({ data, node, names }: { data: Found; node: string; names: string[] }) {
  const [text, setText] = useState('');
  const [events, setEvents] = useState(false);
  const [page, setPage] = useState(0);
  const found = filterEntries(data.entries, text, events);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const at = Math.min(page, pages - 1);
  return (
    <Card flush class="command-log">
      <div class="toolbar">
        <Select
          aria-label={t('commands.node')}
          value={node}
          options={[{ value: '', label: t('commands.allNodes') }, ...names.map((n) => ({ value: n, label: n }))]}
          onValue={(n) => setQuery({ node: n })}
        />
        <Checkbox checked={events} onChecked={setEvents}>{t('commands.events')}</Checkbox>
        <span class="grow" />
        <SearchInput label={t('commands.filter')} value={text} onValue={setText} />
      </div>
      <Table
        label={t('nav.commands')}
        columns={columns()}
        rows={found.slice(at * PAGE, (at + 1) * PAGE)}
        rowKey={(e) => e.key}
        empty={<Empty icon="log" title={t('commands.none')} />}
      />
      <Pager page={at} pages={pages} onPage={setPage} />
    </Card>
  );
}

function columns(): Column<CommandEntry>[] {
  return [
    { id: 'date', label: t('log.date'), cell: (e) => <time class="since nowrap">{e.date.slice(0, 19)}</time>, class: 'date' },
    { id: 'node', label: t('commands.node'), cell: (e) => <strong>{e.node}</strong>, class: 'node' },
    { id: 'text', label: t('commands.command'), cell: (e) => (e.event ? <span class="muted">{e.text}</span> : <code>{e.text}</code>), class: 'what' },
    { id: 'user', label: t('commands.user'), cell: (e) => (e.event ? '' : e.user || t('commands.local')), class: 'user' },
    { id: 'result', label: t('commands.result'), cell: (e) => <Result entry={e} />, class: 'result' },
    { id: 'time', label: t('commands.time'), cell: (e) => (e.seconds === null ? '' : e.seconds < 1 ? '< 1 s' : duration(e.seconds)), class: 'number time' },
  ];
}

function Result({ entry }: { entry: CommandEntry }) {
  if (entry.event) return <Badge icon="info">{t('commands.event')}</Badge>;
  if (entry.code === null) return <Badge tone="info" icon="refresh">{t('activity.running')}</Badge>;
  if (entry.code === 0) return <Badge tone="good" icon="check">{t('outcome.ok')}</Badge>;
  return <Badge tone="bad" icon="x">{t('outcome.failed', { code: entry.code })}</Badge>;
}
