import type { Outcome } from '../api/types';
import { t } from '../i18n';
import { Badge } from './Badge';

/** How a command ended on each node, with what it said. */
export function Outcomes({ results }: { results: Outcome[] }) {
  return (
    <ul class="outcomes">
      {results.map((result) => (
        <li key={result.node ?? ''}>
          <div class="outcome-head">
            <strong>{result.node}</strong>
            {result.code === 0 ? (
              <Badge tone="good" icon="check">{t('outcome.ok')}</Badge>
            ) : (
              <Badge tone="bad" icon="x">{t('outcome.failed', { code: result.code })}</Badge>
            )}
          </div>
          {said(result).length > 0 && <pre tabIndex={0}>{said(result).join('\n')}</pre>}
        </li>
      ))}
    </ul>
  );
}

/** What a command wrote, errors first. */
export function said(result: Outcome): string[] {
  return [...result.errors, ...result.output];
}
