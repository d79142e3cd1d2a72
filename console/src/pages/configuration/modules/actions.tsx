import { useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import type { Outcome } from '../../../api/types';
import { BadArchive, readArchive } from '../../../config/zip';
import { t } from '../../../i18n';
import { here, through, type ModuleView } from '../../../state/cluster';
import { Button, Dialog, Empty, ErrorBox, Notice, Spinner, useLoad } from '../../../ui';
import { ActionDialog, type NodeChoice } from '../parts/ActionDialog';
import type { Stage } from '../parts/runs';
import { serverDate } from '../parts/text';
import { loadDraftWith } from '../wizard/draft';
import { FilePick } from './FilePick';

interface Props {
  module: string;
  onClose: () => void;
  /** The files of the module are others now. */
  onDone: () => void;
}

/** Opens the wizard with the files of a local .safe; nothing is saved yet, and the keys of the module stay. */
export function Upload({ module, onClose, onDone }: Props) {
  const [file, setFile] = useState<File | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const send = async () => {
    if (!file) return;
    setBusy(true);
    setError(null);
    try {
      const files = await readArchive(new Uint8Array(await file.arrayBuffer()));
      await loadDraftWith(module, files);
      onDone();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t('modules.upload')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose} disabled={busy}>{t('ui.cancel')}</Button>
          <Button variant="primary" icon="upload" disabled={!file} busy={busy} onClick={() => void send()} data-testid="confirm">{t('modules.upload.do')}</Button>
        </>
      }
    >
      <div class="stack">
        <p>{t('modules.upload.effect', { module })}</p>
        <FilePick file={file} onFile={setFile} />
        {error instanceof BadArchive && <Notice tone="bad">{[t(error.key), error.path].filter(Boolean).join(': ')}</Notice>}
        {error !== null && !(error instanceof BadArchive) && <ErrorBox error={error} />}
      </div>
    </Dialog>
  );
}

/** Opens the wizard with the files of one of the last successful configurations (ADM-07); nothing is saved yet, and the keys
    of the module stay. */
export function Restore({ module, onClose, onDone }: Props) {
  const { data, error, reload } = useLoad(configuration.configurations, [module]);
  const [busy, setBusy] = useState<string | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const kept = (data ?? []).filter((row) => row.module === module);
  const restore = async (name: string) => {
    setBusy(name);
    setFailed(null);
    try {
      const { files } = await configuration.kept(module, name);
      await loadDraftWith(module, files);
      onDone();
    } catch (problem) {
      setFailed(problem);
      setBusy(null);
    }
  };
  return (
    <Dialog title={t('modules.restore')} onClose={onClose} actions={<Button onClick={onClose}>{t('ui.close')}</Button>}>
      <div class="stack">
        <p>{t('modules.restore.effect')}</p>
        {error !== null && <ErrorBox error={error} retry={reload} />}
        {!data && !error && <Spinner />}
        {data && kept.length === 0 && <Empty icon="archive" title={t('modules.restore.none')} />}
        <ul class="pick-list">
          {kept.map((row) => (
            <li key={row.name}>
              <span>
                <strong>{serverDate(row.date)}</strong>
                <code>{row.name}</code>
              </span>
              <Button size="small" icon="restart" busy={busy === row.name} disabled={busy !== null} onClick={() => void restore(row.name)}>
                {t('modules.restore.do')}
              </Button>
            </li>
          ))}
        </ul>
        {busy !== null && <Spinner text={t('modules.restore.busy')} />}
        {failed !== null && <ErrorBox error={failed} />}
      </div>
    </Dialog>
  );
}

/** The nodes that have the module; those on which it runs or which do not answer cannot be chosen. */
function choicesOf(module: ModuleView, configuredOnly: boolean): NodeChoice[] {
  return module.on.map(({ node, module: on }) => {
    const why = !node.reachable
      ? t('modules.why.unreachable')
      : on.role !== 'STOP'
        ? t('modules.why.running', { role: on.role })
        : configuredOnly && !on.configured
          ? t('modules.why.notConfigured')
          : undefined;
    return { node: node.name, checked: true, why };
  });
}

/** Other nodes first: what is on the connection node is what the wizard would load. */
function stagesOf(names: string[], task: (node: string) => Promise<Outcome | undefined>): Stage[] {
  const step = (node: string) => ({ id: node, label: node, task: () => task(node) });
  const mine = here.peek();
  return [names.filter((node) => node !== mine), names.filter((node) => node === mine)]
    .filter((stage) => stage.length > 0)
    .map((stage) => stage.map(step));
}

export function Unconfigure({ module, onClose }: { module: ModuleView; onClose: () => void }) {
  return (
    <ActionDialog
      title={t('modules.unconfigure.title', { module: module.name })}
      effects={[t('modules.unconfigure.effect'), t('modules.unconfigure.kept')]}
      confirm={t('modules.unconfigure.do')}
      danger
      choices={choicesOf(module, true)}
      stages={(names) => stagesOf(names, (node) => configuration.unconfigure(through(node), module.name))}
      onClose={onClose}
    />
  );
}

export function Uninstall({ module, onClose }: { module: ModuleView; onClose: () => void }) {
  return (
    <ActionDialog
      title={t('modules.uninstall.title', { module: module.name })}
      effects={[t('modules.uninstall.effect'), t('modules.uninstall.backup')]}
      confirm={t('modules.uninstall.do')}
      danger
      choices={choicesOf(module, false)}
      stages={(names) => stagesOf(names, (node) => configuration.uninstall(through(node), module.name))}
      onClose={onClose}
    />
  );
}
