import { t } from '../i18n';
import { Button } from './Button';
import { notify } from './Toast';

/** Text of a program, with a button that copies it. */
export function CodePane({ text, title, tall }: { text: string; title?: string; tall?: boolean }) {
  return (
    <figure class={`code-pane ${tall ? 'tall' : ''}`}>
      <figcaption>
        <span>{title}</span>
        <Button size="small" variant="ghost" icon="copy" onClick={() => void copy(text)}>
          {t('ui.copy')}
        </Button>
      </figcaption>
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}

/** Copies a text. Over HTTP browsers have no clipboard for pages: the old way then. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else copyBySelection(text);
  notify('good', t('ui.copied'));
}

function copyBySelection(text: string): void {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
