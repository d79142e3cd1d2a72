import { useEffect, useState } from 'preact/hooks';
import type { RoleName } from './api/types';
import { lang, t } from './i18n';
import { lazy } from './pages/Lazy';
import { Login } from './pages/login/Login';
import { Monitoring } from './pages/monitoring/Monitoring';
import { href, route } from './router';
import { loadSession, logout, may, role, session } from './session';
import { Shell } from './shell/Shell';
import { startCluster, stopCluster } from './state/cluster';
import { Button, Empty, ErrorBox, LinkButton, Spinner } from './ui';

const Access = lazy(async () => ({ default: (await import('./pages/access/Access')).Access }));
const Commands = lazy(async () => ({ default: (await import('./pages/commands/Commands')).Commands }));
const Configuration = lazy<{ path: string[] }>(() => import('./pages/configuration'));
const ModuleDetails = lazy(async () => ({ default: (await import('./pages/module/ModuleDetails')).ModuleDetails }));

/** After the first page is there. */
const PRELOAD_MS = 2000;

export function App() {
  const [error, setError] = useState<unknown>(null);
  const load = () => {
    setError(null);
    loadSession().catch(setError);
  };
  useEffect(load, []);
  const asked = session.value !== null;
  const authenticated = session.value?.authenticated ?? false;
  const hasRole = role.value !== null;
  useEffect(() => {
    if (!asked) return;
    if (!hasRole) return stopCluster();
    startCluster();
    // Opened soon, and then perhaps from a node that has just died.
    const timer = setTimeout(() => [ModuleDetails, Commands].forEach((page) => page.preload()), PRELOAD_MS);
    return () => clearTimeout(timer);
  }, [asked, hasRole]);
  if (error) return <div class="alone"><ErrorBox error={error} retry={load} /></div>;
  if (!session.value) return <div class="alone"><Spinner /></div>;
  if (!authenticated) return <Login />;
  if (!hasRole) return <NoRole />;
  return (
    <Shell>
      <Page key={lang.value} />
    </Shell>
  );
}

function NoRole() {
  return (
    <div class="alone">
      <Empty icon="lock" title={t('access.norole')} action={<Button icon="logout" onClick={() => void logout()}>{t('user.logout')}</Button>}>
        <p>{t('access.norole.text', { user: session.value?.user ?? '' })}</p>
      </Empty>
    </div>
  );
}

/** The page of the address (WEB-02 to WEB-07). */
function Page() {
  const [area, ...rest] = route.value;
  if (area === 'login') return <Monitoring />;
  if (area === 'monitoring') return <MonitoringPage rest={rest} />;
  if (area === 'configuration') return <For needed="Admin" page={() => <Configuration path={rest} />} />;
  if (area === 'access') return <For needed="Admin" page={() => <Access />} />;
  return <NotFound />;
}

function MonitoringPage({ rest }: { rest: string[] }) {
  const [first, module, word, node, tab] = rest;
  if (first === undefined) return <Monitoring />;
  if (first === 'commands') return <Commands />;
  if (first === 'modules' && module && word === 'nodes' && node) {
    return <ModuleDetails key={`${module}/${node}`} module={module} node={node} tab={tab ?? 'logs'} />;
  }
  return <NotFound />;
}

function For({ needed, page }: { needed: RoleName; page: () => preact.JSX.Element }) {
  if (may(needed)) return page();
  const own = role.value ?? 'Monitor';
  return (
    <Empty icon="lock" title={t('app.forbidden')}>
      <p>{t('app.forbidden.text', { needed: t(`user.role.${needed}`), role: t(`user.role.${own}`) })}</p>
    </Empty>
  );
}

function NotFound() {
  return (
    <Empty icon="search" title={t('app.notFound')} action={<LinkButton href={href('/monitoring')}>{t('app.notFound.home')}</LinkButton>}>
      <p>{t('app.notFound.text')}</p>
    </Empty>
  );
}
