import { useEffect, useState } from 'preact/hooks';
import type { RoleName } from './api/types';
import { lang, t } from './i18n';
import { lazy } from './pages/Lazy';
import { Login } from './pages/login/Login';
import { Monitoring } from './pages/monitoring/Monitoring';
import { href, route } from './router';
import { loadSession, may, role, session } from './session';
import { Shell } from './shell/Shell';
import { startCluster, stopCluster } from './state/cluster';
import { Empty, ErrorBox, LinkButton, Spinner } from './ui';

const Configuration = lazy<{ path: string[] }>(() => import('./pages/configuration'));

export function App() {
  const [error, setError] = useState<unknown>(null);
  const load = () => {
    setError(null);
    loadSession().catch(setError);
  };
  useEffect(load, []);
  const authenticated = session.value?.authenticated ?? false;
  useEffect(() => {
    if (authenticated) startCluster();
    else stopCluster();
  }, [authenticated]);
  if (error) return <div class="alone"><ErrorBox error={error} retry={load} /></div>;
  if (!session.value) return <div class="alone"><Spinner /></div>;
  if (!authenticated) return <Login />;
  return (
    <Shell>
      <Page key={lang.value} />
    </Shell>
  );
}

/** The page of the address (WEB-02 to WEB-07). */
function Page() {
  const [area, ...rest] = route.value;
  if (area === 'login') return <Monitoring />;
  if (area === 'monitoring') return <MonitoringPage rest={rest} />;
  if (area === 'configuration') return <For needed="Admin" page={() => <Configuration path={rest} />} />;
  return <NotFound />;
}

function MonitoringPage({ rest }: { rest: string[] }) {
  const [first] = rest;
  if (first === undefined) return <Monitoring />;
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
