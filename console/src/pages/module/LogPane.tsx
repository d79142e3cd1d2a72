import { useState } from 'preact/hooks';
import { api } from '../../api/api';
import type { LogLine } from '../../api/types';
import { lang, t } from '../../i18n';
import { through } from '../../state/cluster';
import { between, scriptLog } from '../../state/logs';
import { Button, CodePane, ErrorBox, IconButton, Spinner, useLoad } from '../../ui';
import { LogTable } from './Logs';
import { useReveal } from './useReveal';

/** Verbose messages that are read at once for those that belong to one message. */
const VERBOSE = 2_000;
/** Most of them that are held. */
const MOST = 20_000;

interface Props {
  module: string;
  node: string;
  line: LogLine | null;
  onClose: () => void;
}

/** Beside the log: what lies behind the chosen message. */
export function LogPane(props: Props) {
  const { line, onClose } = props;
  const aside = useReveal<HTMLElement>(line?.id ?? null);
  if (!line) return null;
  const script = scriptLog(line);
  return (
    <aside ref={aside} class="card flush split-side" aria-label={t(script ? 'log.script' : 'log.verbose')}>
      <header class="card-head">
        <h2>{t(script ? 'log.script' : 'log.verbose')}</h2>
        <div class="card-actions">
          <IconButton icon="x" label={t('ui.close')} onClick={onClose} />
        </div>
      </header>
      <p class="pane-line">{line.text}</p>
      {script ? <Script key={script} {...props} name={script} /> : <Verbose key={line.id} {...props} line={line} />}
    </aside>
  );
}

function Verbose({ module, node, line }: Props & { line: LogLine }) {
  const [older, setOlder] = useState<LogLine[]>([]);
  const [failed, setFailed] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const read = (before: number) => api.log(through(node), module, { all: true, count: VERBOSE, before, lang: lang.value });
  const { data, error, reload } = useLoad(() => read(line.id + 1), [module, node, line.id, lang.value]);
  const [ended, setEnded] = useState(false);
  if (error) return <div class="pad"><ErrorBox error={error} retry={reload} /></div>;
  if (!data) return <div class="pad"><Spinner /></div>;
  const all = [...older, ...data];
  const lines = between(all, line);
  // The message before this one has not been read yet: what is shown is not all that lies between.
  const more = lines.length === all.length && data.length === VERBOSE && !ended;
  const readOlder = async () => {
    setBusy(true);
    setFailed(null);
    try {
      const found = await read(all[0]!.id);
      setOlder([...found, ...older]);
      setEnded(found.length < VERBOSE);
    } catch (problem) {
      setFailed(problem);
    }
    setBusy(false);
  };
  if (lines.length <= 1 && !more) return <p class="pad muted">{t('log.verbose.none')}</p>;
  return (
    <>
      <LogTable lines={[...lines].reverse()} chosen={line} brief />
      {failed !== null && <div class="pad"><ErrorBox error={failed} /></div>}
      {more && (
        <div class="load-more">
          <p class="muted">{t(all.length < MOST ? 'log.verbose.more' : 'log.verbose.most', { n: lines.length })}</p>
          {all.length < MOST && <Button size="small" icon="chevronDown" busy={busy} onClick={() => void readOlder()}>{t('log.older')}</Button>}
        </div>
      )}
    </>
  );
}

function Script({ module, node, name }: Props & { name: string }) {
  const { data, error, reload } = useLoad(() => api.userLog(through(node), module, name), [module, node, name]);
  if (error) return <div class="pad"><ErrorBox error={error} retry={reload} /></div>;
  if (data === null) return <div class="pad"><Spinner /></div>;
  return <div class="pad"><CodePane title={name} text={data || t('log.script.none')} tall /></div>;
}
