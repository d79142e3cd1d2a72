import { useState } from 'preact/hooks';
import type { ModuleFile } from '../../../api/types';
import type { Clash } from '../../../config/files';
import { t } from '../../../i18n';
import { Badge, Button, Dialog, Notice, Segmented } from '../../../ui';
import { DiffView } from './DiffView';

/** Another administrator saved meanwhile: shows theirs and mine; one is chosen for each file. */
export function Conflict({ clashes, onChosen, onClose }: {
  clashes: Clash[];
  /** Paths of which mine is kept. */
  onChosen: (mine: ReadonlySet<string>) => void;
  onClose: () => void;
}) {
  const [mine, setMine] = useState<ReadonlySet<string>>(() => new Set(clashes.filter((c) => c.by !== 'them').map((c) => c.path)));
  const choose = (path: string, side: 'mine' | 'theirs') => {
    const next = new Set(mine);
    if (side === 'mine') next.add(path);
    else next.delete(path);
    setMine(next);
  };
  return (
    <Dialog
      size="wide"
      title={t('conflict.title')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t('conflict.later')}</Button>
          <Button variant="primary" onClick={() => onChosen(mine)} data-testid="confirm">{t('conflict.go')}</Button>
        </>
      }
    >
      <div class="stack">
        <Notice tone="warning">{t('conflict.text')}</Notice>
        {clashes.length === 0 && <p>{t('conflict.keys')}</p>}
        {clashes.map((clash) => (
          <section key={clash.path} class="clash">
            <header>
              <code>{clash.path}</code>
              <Badge tone={clash.by === 'both' ? 'warning' : 'neutral'}>{t(`conflict.by.${clash.by}`)}</Badge>
              <Segmented
                label={t('conflict.keep', { file: clash.path })}
                value={mine.has(clash.path) ? 'mine' : 'theirs'}
                options={[
                  { value: 'theirs', label: t('conflict.theirs') },
                  { value: 'mine', label: t('conflict.mine') },
                ]}
                onChange={(side) => choose(clash.path, side)}
              />
            </header>
            <Sides clash={clash} />
          </section>
        ))}
      </div>
    </Dialog>
  );
}

/** What both have of a file. */
export function Sides({ clash }: { clash: Clash }) {
  const [theirs, mine] = [clash.theirs, clash.mine];
  if (theirs?.base64 || mine?.base64) return <p class="muted">{t('conflict.binary')}</p>;
  if (theirs && mine && theirs.text === mine.text) {
    return <p class="muted">{t('conflict.executable', { value: t(theirs.executable ? 'ui.yes' : 'ui.no') })}</p>;
  }
  return (
    <>
      {!theirs && <p class="muted">{t('conflict.removedThere')}</p>}
      {!mine && <p class="muted">{t('conflict.removedHere')}</p>}
      <DiffView theirs={theirs?.text ?? ''} mine={mine?.text ?? ''} />
    </>
  );
}

/** A text as a file of its own, to compare it with another one. */
export function asFile(path: string, text: string): ModuleFile {
  return { path, text, base64: null, executable: false };
}
