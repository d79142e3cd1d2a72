import { useState } from 'preact/hooks';
import type { LogLevel, LogLine } from '../../api/types';
import { t, tn } from '../../i18n';
import { MOST, type LogFeed } from '../../state/logfeed';
import { isOpen, MAIN_LEVELS, type LogFilter, type MainLevel } from '../../state/logs';
import { Button, Empty, ErrorBox, Icon, Menu, SearchInput, Spinner, type IconName } from '../../ui';
import { logHref } from '../monitoring/menus';
import { LogPane } from './LogPane';
import { useLog, type LogView } from './useLog';

const LEVEL_ICON: Record<LogLevel, IconName> = {
  C: 'xCircle', E: 'activity', U: 'user', S: 'code', W: 'warning', I: 'info', D: 'search',
};
/** Rows that are shown before one asks for more. */
const SHOWN = 400;

/** The log, live, with what lies behind each message (WEB-31). */
export function Logs({ module, node }: { module: string; node: string }) {
  const log = useLog(module, node);
  const feed = log.feed;
  const [filter, setFilter] = useState<LogFilter>({ levels: new Set(MAIN_LEVELS), text: '' });
  const [chosen, setChosen] = useState<LogLine | null>(null);
  const change = (next: LogFilter) => {
    setFilter(next);
    feed.filtered();
  };
  const toggle = (level: MainLevel) => {
    const levels = new Set(filter.levels);
    if (!levels.delete(level)) levels.add(level);
    change({ ...filter, levels });
  };
  const error = feed.error.value;
  return (
    <div class={`split ${chosen ? 'chosen' : ''}`}>
      <section class="card flush split-main">
        <div class="toolbar">
          <Live log={log} />
          <div class="chips" role="group" aria-label={t('log.levels')}>
            {MAIN_LEVELS.map((level) => (
              <button key={level} type="button" class={`chip level-${level}`} aria-pressed={filter.levels.has(level)} title={t(`log.level.${level}.what`)} onClick={() => toggle(level)}>
                <Icon name={LEVEL_ICON[level]} size={15} />
                {t(`log.level.${level}`)}
              </button>
            ))}
          </div>
          <span class="grow hint">{chosen ? '' : t('log.hint')}</span>
          <SearchInput label={t('log.search')} value={filter.text} onValue={(text) => change({ ...filter, text })} />
          <Menu
            label={t('log.download')}
            icon="download"
            items={[
              { kind: 'link', label: t('command.log'), icon: 'download', download: true, href: logHref(module, node, false) },
              { kind: 'link', label: t('command.logVerbose'), icon: 'download', download: true, href: logHref(module, node, true) },
            ]}
          />
        </div>
        {error !== null && <div class="pad"><ErrorBox error={error} retry={() => void feed.opened()} /></div>}
        {!feed.loaded.value && error === null ? <div class="pad"><Spinner /></div> : <Lines feed={feed} filter={filter} chosen={chosen} onChoose={setChosen} />}
      </section>
      <LogPane module={module} node={node} line={chosen} onClose={() => setChosen(null)} />
    </div>
  );
}

function Live({ log: { feed, connection } }: { log: LogView }) {
  const paused = feed.frozen.value !== null;
  const held = feed.held();
  const live = connection.value.state === 'live' && !paused;
  const word = paused ? t('log.paused') : live ? t('log.live') : t('connection.connecting');
  return (
    <>
      <Button size="small" icon={paused ? 'play' : 'pause'} onClick={() => feed.pause(!paused)}>
        {t(paused ? 'log.resume' : 'log.pause')}
      </Button>
      <span class={`pill small ${live ? 'live' : ''}`}>
        <span class="dot" aria-hidden="true" />
        {paused && held > 0 ? tn('log.new', held) : word}
      </span>
    </>
  );
}

function Lines({ feed, filter, chosen, onChoose }: { feed: LogFeed; filter: LogFilter; chosen: LogLine | null; onChoose: (line: LogLine) => void }) {
  const [most, setMost] = useState(SHOWN);
  const lines = feed.shown(filter).reverse();
  const older = feed.hasOlder(filter);
  const load = () => void feed.older(filter);
  const button = older && <Button size="small" icon="chevronDown" busy={feed.busy.value} onClick={load}>{t('log.older')}</Button>;
  if (lines.length === 0) {
    // What fits may be further back than what has been read.
    const title = feed.lines.value.length === 0 ? 'log.empty' : older ? 'log.empty.yet' : 'log.empty.filter';
    return <Empty icon="log" title={t(title)} action={button} />;
  }
  return (
    <>
      <LogTable lines={lines.slice(0, most)} chosen={chosen} onChoose={onChoose} />
      <div class="load-more">
        {feed.gap.value && <p class="muted">{t('log.gap')}</p>}
        {feed.full() && isOpen(filter) && <p class="muted">{t('log.most', { n: MOST })}</p>}
        {lines.length > most ? <Button size="small" onClick={() => setMost(most + SHOWN)}>{t('log.more')}</Button> : button}
      </div>
    </>
  );
}

/** Messages as rows; each can be chosen when `onChoose` is given. */
export function LogTable({ lines, chosen, onChoose, brief }: {
  lines: LogLine[];
  chosen?: LogLine | null;
  onChoose?: (line: LogLine) => void;
  /** Times without their day. */
  brief?: boolean;
}) {
  return (
    <table class={`log ${brief ? 'brief' : ''}`}>
      <colgroup>
        <col class="log-level" />
        <col class="log-date" />
        <col class="log-origin" />
        <col />
      </colgroup>
      <thead class="hidden-text">
        <tr>
          <th scope="col">{t('log.level')}</th>
          <th scope="col">{t('log.date')}</th>
          <th scope="col">{t('log.origin')}</th>
          <th scope="col">{t('log.text')}</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <Line key={line.id} line={line} chosen={chosen?.id === line.id} {...(onChoose ? { onChoose } : {})} />
        ))}
      </tbody>
    </table>
  );
}

function Line({ line, chosen, onChoose }: { line: LogLine; chosen: boolean; onChoose?: (line: LogLine) => void }) {
  const level = t(`log.level.${line.level}`);
  const act = onChoose && {
    tabIndex: 0,
    'aria-selected': chosen,
    onClick: () => onChoose(line),
    onKeyDown: (e: KeyboardEvent) => {
      if (e.key === 'Enter' || e.key === ' ') {
        e.preventDefault();
        onChoose(line);
      }
      const step = e.key === 'ArrowDown' ? 'nextElementSibling' : e.key === 'ArrowUp' ? 'previousElementSibling' : null;
      const next = step && (e.currentTarget as HTMLElement)[step];
      if (!(next instanceof HTMLElement)) return;
      e.preventDefault();
      next.focus();
    },
  };
  return (
    <tr class={`level-${line.level} ${onChoose ? 'clickable' : ''} ${chosen ? 'selected' : ''}`} {...act}>
      <td class="log-level" title={level}>
        <Icon name={LEVEL_ICON[line.level]} size={15} />
        <span class="hidden-text">{level}</span>
      </td>
      <td class="log-date">
        <time dateTime={line.date}>
          <span class="log-day">{line.date.slice(0, 11)}</span>
          {line.date.slice(11, 23)}
        </time>
      </td>
      <td class="log-origin">{line.origin}</td>
      <td class="log-text">{line.text}</td>
    </tr>
  );
}
