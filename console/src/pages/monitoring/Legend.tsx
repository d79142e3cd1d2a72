import type { ModuleRole, Readiness } from '../../api/types';
import { t } from '../../i18n';
import type { Service } from '../../state/service';
import { Dialog } from '../../ui';
import { ServiceBadge, StateBadge } from './State';

const ROLES: [ModuleRole, Readiness][] = [
  ['PRIM', 'Ready'], ['SECOND', 'Ready'], ['ALONE', 'Ready'], ['UP', 'Ready'], ['WAIT', 'NotReady'], ['STOP', 'NotReady'],
];
const SERVICES: Service[] = ['full', 'moving', 'degraded', 'down', 'unknown'];
const STABILITY: [ModuleRole, Readiness][] = [['PRIM', 'Ready'], ['PRIM', 'Transient'], ['STOP', 'NotReady']];

/** What the states mean, beside the page that shows them. */
export function Legend({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t('legend.title')} onClose={onClose} size="wide">
      <div class="legend">
        <section>
          <h3>{t('legend.roles')}</h3>
          <dl>
            {ROLES.map(([role, readiness]) => (
              <div key={role}>
                <dt><StateBadge role={role} readiness={readiness} /></dt>
                <dd>{t(`role.${role}`)}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section>
          <h3>{t('legend.services')}</h3>
          <dl>
            {SERVICES.map((service) => (
              <div key={service}>
                <dt><ServiceBadge service={service} /></dt>
                <dd>{t(`service.${service}.what`)}</dd>
              </div>
            ))}
          </dl>
          <h3>{t('legend.readiness')}</h3>
          <dl>
            {STABILITY.map(([role, readiness]) => (
              <div key={readiness}>
                <dt><StateBadge role={role} readiness={readiness} /></dt>
                <dd>{t(`readiness.${readiness}.what`)}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
