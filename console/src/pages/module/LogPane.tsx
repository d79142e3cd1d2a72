import { api } from '../../api/api';
import type { LogLine } from '../../api/types';
import { lang, t } from '../../i18n';
import { through } from '../../state/cluster';
import { between, scriptLog } from '../../state/logs';
import { CodePane, ErrorBox, IconButton, Spinner, useLoad } from '../../ui';
import { LogTable } from './Logs';
import { useReveal } from './useReveal';

/** Verbose messages that are looked through for those that belong to one message. */
const VERBOSE = 2_000;

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
  const query = { all: true, count: VERBOSE, before: line.id + 1, lang: lang.value };
  const { data, error, reload } = useLoad(() => api.log(through(node), module, query), [module, node, line.id, lang.value]);
  if (error) return <div class="pad"><ErrorBox error={error} retry={reload} /></div>;
  if (!data) return <div class="pad"><Spinner /></div>;
  const lines = between(data, line);
  if (lines.length <= 1) return <p class="pad muted">{t('log.verbose.none')}</p>;
  return <LogTable lines={[...lines].reverse()} chosen={line} brief />;
}

function Script({ module, node, name }: Props & { name: string }) {
  const { data, error, reload } = useLoad(() => api.userLog(through(node), module, name), [module, node, name]);
  if (error) return <div class="pad"><ErrorBox error={error} retry={reload} /></div>;
  if (data === null) return <div class="pad"><Spinner /></div>;
  return <div class="pad"><CodePane title={name} text={data || t('log.script.none')} tall /></div>;
}
