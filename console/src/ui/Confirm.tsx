import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { t } from '../i18n';
import { Button } from './Button';
import { Dialog } from './Dialog';
import { Icon } from './Icon';

export interface Question {
  title: string;
  /** What will happen, one sentence an entry. */
  effects: string[];
  /** More than text, e.g. a choice. */
  children?: ComponentChildren;
  /** Label of the button that does it: a verb. */
  confirm: string;
  danger?: boolean;
}

const asked = signal<{ question: Question; answer: (yes: boolean) => void } | null>(null);

/** Asks the user; true when he confirms. A question that was open is answered with no. */
export function confirm(question: Question): Promise<boolean> {
  asked.peek()?.answer(false);
  return new Promise((resolve) => {
    const answer = (yes: boolean) => {
      asked.value = null;
      resolve(yes);
    };
    asked.value = { question, answer };
  });
}

/** Shows the question; once in the page. */
export function ConfirmHost() {
  if (!asked.value) return null;
  const { question, answer } = asked.value;
  return (
    <Dialog
      title={question.title}
      onClose={() => answer(false)}
      actions={
        <>
          <Button onClick={() => answer(false)} autoFocus>
            {t('ui.cancel')}
          </Button>
          <Button variant={question.danger ? 'danger' : 'primary'} onClick={() => answer(true)} data-testid="confirm">
            {question.confirm}
          </Button>
        </>
      }
    >
      <div class="question">
        <span class={`question-mark ${question.danger ? 'danger' : ''}`}>
          <Icon name={question.danger ? 'warning' : 'help'} size={22} />
        </span>
        <div class="question-text">
          {question.effects.map((effect) => (
            <p key={effect}>{effect}</p>
          ))}
          {question.children}
        </div>
      </div>
    </Dialog>
  );
}
