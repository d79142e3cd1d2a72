import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ModuleFile } from '../../../api/types';
import { changedFiles, fileAt, scripts } from '../../../config/files';
import { t } from '../../../i18n';
import { Badge, Button, Checkbox, confirm, copy, Empty, Icon, notify } from '../../../ui';
import type { Language } from '../editor/codemirror';
import { CodeEditor } from '../editor/CodeEditor';
import { AddLine } from '../parts/form';
import { draft, removeFile, setFile } from './draft';

/** Step 2: the scripts of the module; those that start and stop the application first. */
export function ScriptsStep({ foot }: { foot: ComponentChildren }) {
  const files = draft.value!.files;
  const { main, others } = scripts(files);
  const [all, setAll] = useState(main.length === 0);
  const shown = all ? [...main, ...others] : main;
  const [path, setPath] = useState(shown[0]?.path ?? '');
  const file = shown.find((one) => one.path === path) ?? shown[0] ?? null;
  const changed = changedFiles(draft.value!.base.files, files);
  const add = (name: string) => {
    setFile({ path: `bin/${name}`, text: `#!/bin/sh\n# ${name}\n\necho "Running ${name} $*"\n\nexit 0\n`, base64: null, executable: true });
    setAll(true);
    setPath(`bin/${name}`);
  };
  const bad = (name: string): string | null => {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return t('scripts.badName');
    return fileAt(files, `bin/${name}`) ? t('scripts.taken') : null;
  };
  return (
    <>
      <p class="card-intro">{t('scripts.text')}</p>
      <div class="scripts">
        <div class="script-list">
          <ul role="tablist" aria-label={t('scripts.list')} aria-orientation="vertical">
            {shown.map((one) => (
              <Entry key={one.path} file={one} current={one === file} changed={changed.includes(one.path)} onSelect={() => setPath(one.path)} />
            ))}
          </ul>
          <Checkbox checked={all} onChecked={setAll} hint={t('scripts.all.help')}>{t('configuration.advanced')}</Checkbox>
          {all && <AddLine label={t('scripts.new')} button={t('form.add')} check={bad} onAdd={add} />}
        </div>
        {file ? <Script key={file.path} file={file} changed={changed.includes(file.path)} removable={!main.includes(file)} /> : <Empty icon="code" title={t('scripts.none')} />}
      </div>
      <footer class="wizard-foot">{foot}</footer>
    </>
  );
}

function Entry({ file, current, changed, onSelect }: { file: ModuleFile; current: boolean; changed: boolean; onSelect: () => void }) {
  return (
    <li role="presentation">
      <button type="button" role="tab" aria-selected={current} class="script-entry" onClick={onSelect}>
        <Icon name={file.path.startsWith('bin/') ? 'code' : 'file'} size={16} />
        <span>{file.path.replace(/^bin\//, '')}</span>
        {changed && <span class="dot" title={t('wizard.unsaved')}><span class="hidden-text">{t('wizard.unsaved')}</span></span>}
      </button>
    </li>
  );
}

function languageOf(file: ModuleFile): Language {
  if (file.path.endsWith('.xml')) return 'xml';
  return file.path.startsWith('bin/') || /^#!.*sh\b/.test(file.text ?? '') ? 'shell' : 'text';
}

function Script({ file, changed, removable }: { file: ModuleFile; changed: boolean; removable: boolean }) {
  const before = draft.value && fileAt(draft.value.base.files, file.path);
  const paste = async () => {
    try {
      setFile({ ...file, text: await navigator.clipboard.readText() });
    } catch {
      notify('warning', t('scripts.noPaste'));
    }
  };
  const remove = async () => {
    const yes = await confirm({ title: t('scripts.remove.title', { file: file.path }), effects: [t('scripts.remove.text')], confirm: t('scripts.remove'), danger: true });
    if (yes) removeFile(file.path);
  };
  return (
    <section class="script" role="tabpanel" aria-label={file.path}>
      <header class="script-head">
        <code>{file.path}</code>
        {changed && <Badge tone="warning">{t('wizard.unsaved')}</Badge>}
        <span class="grow" />
        {file.text !== null && <Button size="small" variant="ghost" icon="copy" onClick={() => void copy(file.text ?? '')}>{t('ui.copy')}</Button>}
        {file.text !== null && 'clipboard' in navigator && <Button size="small" variant="ghost" icon="paste" onClick={() => void paste()}>{t('scripts.paste')}</Button>}
        {changed && before && <Button size="small" variant="ghost" icon="restart" onClick={() => setFile(before)}>{t('scripts.undo')}</Button>}
        {removable && <Button size="small" variant="ghost" icon="trash" onClick={() => void remove()}>{t('scripts.remove')}</Button>}
      </header>
      {file.text === null ? (
        <Empty icon="file" title={t('scripts.binary')} />
      ) : (
        <CodeEditor name={file.path} language={languageOf(file)} label={file.path} text={file.text} onText={(text) => setFile({ ...file, text })} />
      )}
    </section>
  );
}
