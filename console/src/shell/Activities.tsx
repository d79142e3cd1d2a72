import { duration } from '../format';
import { t } from '../i18n';
import { activities, dismissActivity, type Activity, type Step } from '../state/activity';
import { moduleOn } from '../state/cluster';
import { Icon, IconButton, useNow, type IconName } from '../ui';

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
  const over = activity.steps.every((s) => s.state === 'done' || s.state === 'failed' || s.state === 'skipped');
  return (
    <section class="activity" data-testid="activity">
      <header>
        <strong>{t(`command.${activity.command}`)}</strong>
        <span>{activity.module}</span>
        {over && <IconButton icon="x" size={15} label={t('ui.dismiss')} onClick={() => dismissActivity(activity.id)} />}
      </header>
      <ul>
        {activity.steps.map((step) => <StepLine key={step.node} step={step} module={activity.module} />)}
      </ul>
    </section>
  );
}

function StepLine({ step, module }: { step: Step; module: string }) {
  // Taken, and the module has not arrived yet.
  const moving = step.state === 'moving' || (step.state === 'done' && moduleOn(module, step.node)?.module?.readiness === 'Transient');
  return (
    <li class={moving ? 'running' : step.state}>
      <Mark step={step} moving={moving} />
      <div>
        <span class="activity-node">{step.node}</span>
        <span class="activity-state">{t(moving ? 'activity.moving' : `activity.${step.state}`)}</span>
        {(step.state === 'running' || moving) && <Time since={step.since} />}
        {step.state === 'failed' && <pre>{step.lines.join('\n')}</pre>}
        {step.state === 'skipped' && <p class="muted">{step.lines.join('\n')}</p>}
      </div>
    </li>
  );
}

const ICON: Record<Step['state'], IconName> = {
  waiting: 'clock', running: 'clock', moving: 'clock', done: 'checkCircle', failed: 'xCircle', skipped: 'pause',
};

function Mark({ step, moving }: { step: Step; moving: boolean }) {
  if (step.state === 'running' || moving) return <span class="ring" aria-hidden="true" />;
  return <Icon name={ICON[step.state]} size={17} />;
}

function Time({ since }: { since: number }) {
  const seconds = (useNow() - since) / 1000;
  return <span class="activity-time" aria-hidden="true">{seconds >= 1 ? duration(seconds) : ''}</span>;
}
