import { useRef, useState } from 'preact/hooks';
import { bytes } from '../../../format';
import { t } from '../../../i18n';
import { Button, Icon } from '../../../ui';

/** Chooses a local .safe or .zip, by a dialog or by dropping it. */
export function FilePick({ file, onFile }: { file: File | null; onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [wrong, setWrong] = useState(false);
  const take = (chosen: File | null | undefined) => {
    if (!chosen) return;
    const good = /\.(safe|zip)$/i.test(chosen.name);
    setWrong(!good);
    if (good) onFile(chosen);
  };
  return (
    <div
      class={`file-pick ${over ? 'over' : ''}`}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        take(e.dataTransfer?.files[0]);
      }}
    >
      <Icon name={file ? 'archive' : 'upload'} size={22} />
      <p>{file ? <><strong>{file.name}</strong> <span class="muted">{bytes(file.size)}</span></> : t('modules.pick.text')}</p>
      <input ref={input} type="file" class="hidden-text" accept=".safe,.zip" tabIndex={-1} aria-label={t('modules.pick')} onChange={(e) => take(e.currentTarget.files?.[0])} />
      <Button size="small" onClick={() => input.current?.click()}>{t('modules.pick')}</Button>
      {wrong && <small class="field-error" role="alert">{t('modules.pick.wrong')}</small>}
    </div>
  );
}
