import { t } from '../i18n';
import { href, route } from '../router';
import { may } from '../session';
import { Icon, type IconName } from '../ui';
import { Logo } from './Logo';

interface Entry {
  path: string;
  label: string;
  icon: IconName;
  current: boolean;
}

/** The pages that the role opens. */
export function Sidebar() {
  const [area, page] = route.value;
  const inside = (a: string, p?: string) => area === a && (p === undefined || page === p);
  const monitoring: Entry[] = [
    { path: '/monitoring', label: t('nav.modules'), icon: 'activity', current: inside('monitoring') && page !== 'commands' },
    { path: '/monitoring/commands', label: t('nav.commands'), icon: 'log', current: inside('monitoring', 'commands') },
  ];
  const configuration: Entry[] = [
    { path: '/configuration/cluster', label: t('configuration.cluster'), icon: 'cluster', current: inside('configuration', 'cluster') },
    { path: '/configuration/modules', label: t('configuration.modules'), icon: 'cube', current: inside('configuration', 'modules') },
    { path: '/access', label: t('nav.access'), icon: 'shield', current: inside('access') },
  ];
  return (
    <>
      <a class="brand" href={href('/monitoring')}>
        <Logo />
        <span>{t('app.name')}</span>
      </a>
      <nav aria-label={t('nav.label')}>
        <Group title={t('nav.monitoring')} entries={monitoring} />
        {may('Admin') && <Group title={t('nav.configuration')} entries={configuration} />}
      </nav>
    </>
  );
}

function Group({ title, entries }: { title: string; entries: Entry[] }) {
  return (
    <div class="nav-group">
      <h2>{title}</h2>
      <ul>
        {entries.map((entry) => (
          <li key={entry.path}>
            <a href={href(entry.path)} aria-current={entry.current ? 'page' : undefined} title={entry.label}>
              <Icon name={entry.icon} size={19} />
              <span>{entry.label}</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
