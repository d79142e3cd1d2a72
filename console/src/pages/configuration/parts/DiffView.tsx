import { diff, hunks, type DiffLine } from '../../../config/diff';
import { t } from '../../../i18n';

const SIGNS: Record<DiffLine['kind'], string> = { same: ' ', theirs: '−', mine: '+' };

/** The changes from their text to mine. */
export function DiffView({ theirs, mine }: { theirs: string; mine: string }) {
  return (
    <figure class="diff">
      <figcaption>
        <span class="diff-key theirs">− {t('conflict.theirs')}</span>
        <span class="diff-key mine">+ {t('conflict.mine')}</span>
      </figcaption>
      <div class="diff-lines" role="region" aria-label={t('conflict.diff')} tabIndex={0}>
        {hunks(diff(theirs, mine)).map((line, i) =>
          line === null ? (
            <div key={i} class="diff-gap" aria-hidden="true">⋯</div>
          ) : (
            <div key={i} class={`diff-line ${line.kind}`}>
              <span class="diff-number" aria-hidden="true">{line.theirs ?? ''}</span>
              <span class="diff-number" aria-hidden="true">{line.mine ?? ''}</span>
              <span class="diff-sign">{SIGNS[line.kind]}</span>
              <code>{line.text || ' '}</code>
            </div>
          ),
        )}
      </div>
    </figure>
  );
}
