import { signal } from '@preact/signals';
import { t } from '../i18n';
import { IconButton } from './Button';
import { Icon, type IconName } from './Icon';

export type Tone = 'neutral' | 'info' | 'good' | 'warning' | 'bad';

interface Note {
  id: number;
  tone: Tone;
  text: string;
  /** Further lines, e.g. the output of a command. */
  lines: string[];
}

const ICONS: Record<Tone, IconName> = {
  neutral: 'info',
  info: 'info',
  good: 'checkCircle',
  warning: 'warning',
  bad: 'xCircle',
};

const SHOWN_MS = 6_000;
const notes = signal<Note[]>([]);
let next = 1;

/** Tells something at the edge of the page. Bad news stay until they are dismissed. */
export function notify(tone: Tone, text: string, lines: string[] = []): void {
  const id = next++;
  notes.value = [...notes.value.slice(-4), { id, tone, text, lines }];
  if (tone !== 'bad' && tone !== 'warning') setTimeout(() => dismiss(id), SHOWN_MS);
}

function dismiss(id: number): void {
  notes.value = notes.value.filter((note) => note.id !== id);
}

/** Where they appear; once in the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notes.value.map((note) => (
        <div key={note.id} class={`toast ${note.tone}`}>
          <Icon name={ICONS[note.tone]} />
          <div class="toast-text">
            <p>{note.text}</p>
            {note.lines.length > 0 && <pre>{note.lines.join('\n')}</pre>}
          </div>
          <IconButton icon="x" size={15} label={t('ui.dismiss')} onClick={() => dismiss(note.id)} />
        </div>
      ))}
    </div>
  );
}
