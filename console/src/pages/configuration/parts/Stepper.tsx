import { t } from '../../../i18n';
import { Icon } from '../../../ui';

export interface WizardStep {
  id: string;
  label: string;
  optional?: boolean;
  /** Cannot be opened now. */
  disabled?: boolean;
}

/** Steps of a wizard; those that can be opened are buttons. */
export function Stepper({ steps, current, onStep }: { steps: WizardStep[]; current: string; onStep: (id: string) => void }) {
  const at = steps.findIndex((step) => step.id === current);
  return (
    <nav class="stepper" aria-label={t('configuration.steps')}>
      <ol>
        {steps.map((step, i) => (
          <li key={step.id} class={i < at ? 'past' : i === at ? 'current' : ''}>
            <button type="button" disabled={step.disabled ?? false} aria-current={i === at ? 'step' : undefined} onClick={() => onStep(step.id)}>
              <span class="stepper-mark">{i < at ? <Icon name="check" size={14} /> : i + 1}</span>
              <span class="stepper-text">
                <span>{step.label}</span>
                {step.optional && <small>{t('configuration.optional')}</small>}
              </span>
            </button>
          </li>
        ))}
      </ol>
      <p class="stepper-phone">{t('configuration.stepOf', { n: at + 1, of: steps.length, step: steps[at]?.label ?? '' })}</p>
    </nav>
  );
}
