import { asProblem } from '../api/problem';
import type { Fault } from '../api/types';
import { t } from '../i18n';
import { Button } from './Button';
import { CodePane } from './CodePane';
import { Notice } from './Layout';

/** What the user reads first of a problem. */
export function problemTitle(error: unknown): string {
  const problem = asProblem(error);
  if (!problem.unreachable) return titleOf(problem.status, problem.title);
  if (problem.title === 'timeout') return t('problem.timeout');
  return problem.title === 'unreachable' ? t('problem.unreachable') : t('problem.unexpected');
}

/** Titles of HTTP are for programs. */
function titleOf(status: number, title: string): string {
  const known = [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504] as const;
  const found = known.find((s) => s === status);
  return found ? t(`problem.${found}`) : title;
}

/** What the user reads next of a problem. */
export function problemDetail(error: unknown): string {
  const problem = asProblem(error);
  const hidden = problem.title === 'timeout' || problem.title === 'unreachable';
  return problem.unreachable && hidden ? t('problem.unreachable.text') : problem.detail;
}

/** A problem: its text, the output of the command, the faults with their lines. */
export function ErrorBox({ error, retry, onFault }: { error: unknown; retry?: () => void; onFault?: (fault: Fault) => void }) {
  const problem = asProblem(error);
  return (
    <div class="error-box">
      <Notice
        tone="bad"
        title={problemTitle(problem) + (problem.node ? ` (${t('ui.onNode', { node: problem.node })})` : '')}
        actions={retry && <Button size="small" icon="refresh" onClick={retry}>{t('ui.retry')}</Button>}
      >
        {problemDetail(problem)}
      </Notice>
      {problem.faults.length > 0 && <Faults faults={problem.faults} {...(onFault ? { onFault } : {})} />}
      {problem.output.length > 0 && <CodePane title={t('ui.output')} text={problem.output.join('\n')} />}
    </div>
  );
}

/** Faults of a configuration, each with its place. */
export function Faults({ faults, onFault }: { faults: Fault[]; onFault?: (fault: Fault) => void }) {
  return (
    <ul class="faults">
      {faults.map((fault, i) => (
        <li key={i} class={fault.warning ? 'warning' : 'bad'}>
          <strong>{t(fault.warning ? 'ui.warning' : 'ui.error')}</strong>
          {onFault && fault.line > 0 ? (
            <button type="button" class="link" onClick={() => onFault(fault)}>
              {placeOf(fault)}
            </button>
          ) : (
            <code>{placeOf(fault)}</code>
          )}
          <span>{fault.what}</span>
        </li>
      ))}
    </ul>
  );
}

function placeOf(fault: Fault): string {
  const line = fault.line === 0 ? [] : [t('ui.line', { line: fault.line })];
  const tag = fault.tag ? [`<${fault.tag}${fault.attribute ? ` ${fault.attribute}` : ''}>`] : [];
  return [fault.file, ...line, ...tag].filter(Boolean).join(' · ');
}
