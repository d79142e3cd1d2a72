import { Fragment } from 'preact';
import type { ModuleOverview, ModuleRole, Readiness } from '../../api/types';
import { bytes, duration } from '../../format';
import { t } from '../../i18n';
import { percentOf, READINESS_TONE, SERVICE_ICON, SERVICE_TONE, stateIcon, type Service } from '../../state/service';
import { Badge, Icon, Progress } from '../../ui';

/** State and stability: a colour, an icon and the words of the product. */
export function StateBadge({ role, readiness, large }: { role: ModuleRole; readiness: Readiness; large?: boolean }) {
  const tone = READINESS_TONE[readiness];
  return (
    <span class={`state ${tone} ${large ? 'large' : ''}`} title={`${t(`role.${role}`)} (${t(`readiness.${readiness}.what`)})`}>
      <Icon name={stateIcon(role, readiness)} size={large ? 22 : 18} class={readiness === 'Transient' ? 'turning' : ''} />
      <strong>{role}</strong>
      <span>{t(`readiness.${readiness}`)}</span>
    </span>
  );
}

export function ServiceBadge({ service }: { service: Service }) {
  return (
    <Badge tone={SERVICE_TONE[service]} icon={SERVICE_ICON[service]} title={t(`service.${service}.what`)}>
      {t(`service.${service}`)}
    </Badge>
  );
}

/** Whether the replicated data are up to date. */
export function DataLine({ module }: { module: ModuleOverview }) {
  if (module.degraded) return <p class="line bad"><Icon name="warning" size={15} />{t('data.degraded')}</p>;
  if (module.uptodate === null) return null;
  const good = module.uptodate;
  return (
    <p class={`line ${good ? 'soft' : 'warning'}`}>
      <Icon name={good ? 'check' : 'warning'} size={15} />
      {t(good ? 'data.uptodate' : 'data.stale')}
    </p>
  );
}

/** Which part of the clients the node serves, as a bar. */
export function Shares({ module }: { module: ModuleOverview }) {
  const many = module.shares.length > 1;
  return (
    <>
      {module.shares.map(({ group, percent }) => (
        <div key={group} class="share">
          <span class="share-bar" aria-hidden="true">
            <span style={{ width: `${percent}%` }} />
          </span>
          <strong>{percent} %</strong>
          <span class="hidden-text">{many ? t('share.group', { percent, group }) : t('share.of', { percent })}</span>
          {many && <span class="share-group">{group}</span>}
        </div>
      ))}
    </>
  );
}

/** How far the reintegration is, how fast, and how long it still takes. */
export function Reintegration({ module }: { module: ModuleOverview }) {
  const progress = module.progress;
  if (!progress) return null;
  const percent = percentOf(progress);
  const facts = [
    percent === null ? null : t('progress.percent', { percent }),
    progress.rate > 0 ? `${bytes(progress.rate)}/s` : null,
    progress.left === null ? null : t('progress.left', { time: duration(progress.left) }),
  ];
  return (
    <div class="reintegration">
      <Progress value={percent} label={t('progress.reintegration')} />
      <span>
        {[t('progress.reintegration'), ...facts.filter(Boolean)].map((fact, i, all) => (
          <Fragment key={fact}>
            <span class="nowrap">{fact}{i < all.length - 1 && ' ·'}</span>{' '}
          </Fragment>
        ))}
      </span>
    </div>
  );
}
