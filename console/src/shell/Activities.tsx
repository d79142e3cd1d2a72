import { duration } from '../format';
import { t } from '../i18n';
import { activities, dismissActivity, type Activity, type Step } from '../state/activity';
import { Icon, IconButton, useNow } from '../ui';

/** The commands that were given here, each with how it goes on each node. */
export function Activities() {
  return (
    <div class="activities" role="status" aria-live="polite" aria-label={t('activity.label')}>
      {activities.value.map((activity) => (
        <Item key={activity.id} activity={activity} />
      ))}
    </div>
  );
}

function Item({ activity }: { activity: Activity }) {
  const over = activity.steps.every((s) => s.state === 'done' || s.state === 'failed');
  return (
    <section class="activity" data-testid="activity">
      <header>
        <strong>{t(`command.${activity.command}`)}</strong>
        <span>{activity.module}</span>
        {over && <IconButton icon="x" size={15} label={t('ui.dismiss')} onClick={() => dismissActivity(activity.id)} />}
      </header>
      <ul>
        {activity.steps.map((step) => (
          <li key={step.node} class={step.state}>
            <Mark step={step} />
            <div>
              <span class="activity-node">{step.node}</span>
              <span class="activity-state">{t(`activity.${step.state}`)}</span>
              {step.state === 'running' && <Time since={step.since} />}
              {step.state === 'failed' && <pre>{step.lines.join('\n')}</pre>}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Mark({ step }: { step: Step }) {
  if (step.state === 'running') return <span class="ring" aria-hidden="true" />;
  return <Icon name={step.state === 'done' ? 'checkCircle' : step.state === 'failed' ? 'xCircle' : 'clock'} size={17} />;
}

function Time({ since }: { since: number }) {
  const seconds = (useNow() - since) / 1000;
  return <span class="activity-time" aria-hidden="true">{seconds >= 1 ? duration(seconds) : ''}</span>;
}
