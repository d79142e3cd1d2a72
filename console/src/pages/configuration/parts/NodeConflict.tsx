import type { ModuleFile, ModuleFiles } from '../../../api/types';
import { clashes } from '../../../config/files';
import { t } from '../../../i18n';
import { Button, Dialog, ErrorBox, Notice, Spinner, useLoad } from '../../../ui';
import { Sides } from './Conflict';

/** A node holds what nobody here has seen: shows it beside mine; then it is replaced, taken over, or left. */
export function NodeConflict({ node, load, mine, onOverwrite, onTake, onClose }: {
  node: string;
  /** What the node holds. */
  load: () => Promise<ModuleFiles>;
  mine: ModuleFile[];
  /** `signature`: of what was shown. */
  onOverwrite: (signature: string) => void;
  onTake: (theirs: ModuleFiles) => void;
  onClose: () => void;
}) {
  const { data, error, reload } = useLoad(load, [node]);
  const found = data ? clashes(mine, data.files, mine) : [];
  return (
    <Dialog
      size="wide"
      title={t('conflict.node.title', { node })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose} autoFocus>{t('conflict.later')}</Button>
          {found.length > 0 && <Button icon="edit" onClick={() => onTake(data!)}>{t('conflict.node.take')}</Button>}
          <Button variant="danger" disabled={!data} onClick={() => onOverwrite(data!.signature)} data-testid="confirm">{t('conflict.node.overwrite', { node })}</Button>
        </>
      }
    >
      <div class="stack">
        <Notice tone="warning">{t('conflict.node.text', { node })}</Notice>
        {error !== null && <ErrorBox error={error} retry={reload} />}
        {!data && error === null && <Spinner />}
        {data && found.length === 0 && <p>{t('conflict.node.keys', { node })}</p>}
        {found.map((clash) => (
          <section key={clash.path} class="clash">
            <header><code>{clash.path}</code></header>
            <Sides clash={clash} />
          </section>
        ))}
      </div>
    </Dialog>
  );
}
