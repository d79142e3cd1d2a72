import { useEffect } from 'preact/hooks';
import { api } from '../../api/api';
import type { Access as Report, Certificate } from '../../api/types';
import { lang, t, tn } from '../../i18n';
import { told } from '../../i18n/told';
import { session } from '../../session';
import { nodes, through } from '../../state/cluster';
import { Badge, Card, ErrorBox, Facts, Notice, PageHead, Spinner, Table, useLoad, type Tone } from '../../ui';
import { Tokens } from './Tokens';

/** Who may log in, how, and what protects it. Each node has its own files. */
export function Access() {
  useEffect(() => {
    document.title = `${t('nav.access')} · SafeKit`;
  }, [lang.value]);
  return (
    <>
      <PageHead title={t('nav.access')} help="access" subtitle={t('access.subtitle')} />
      <div class="stack">
        {session.value?.warnings.map((warning) => <Notice key={warning} tone="warning">{told(warning)}</Notice>)}
        <div class="columns">
          <Card title={t('access.login')} icon="user">
            <Login />
          </Card>
          <Card title={t('access.certificates')} icon="lock">
            <div class="stack">
              {nodes.value.map((n) => (n.reachable ? <NodeCertificate key={n.name} node={n.name} /> : null))}
            </div>
          </Card>
        </div>
        <Tokens />
      </div>
    </>
  );
}

function Login() {
  const { data, error, reload } = useLoad(() => api.access(), [lang.value]);
  if (error) return <ErrorBox error={error} retry={reload} />;
  if (!data) return <Spinner />;
  return (
    <div class="stack">
      <Facts facts={[[t('access.method'), methodName(data.method)]]} />
      {data.problems.map((problem) => <Notice key={problem} tone="warning">{problem}</Notice>)}
      <Users report={data} />
    </div>
  );
}

function methodName(method: string): string {
  const known = ['file', 'password', 'ldap', 'openid', 'none'] as const;
  const found = known.find((m) => m === method);
  return found ? t(`access.method.${found}`) : method;
}

function whereUsersAre(method: string): 'everybody' | 'elsewhere' | 'none' {
  if (method === 'none') return 'everybody';
  return method === 'ldap' || method === 'openid' ? 'elsewhere' : 'none';
}

function Users({ report }: { report: Report }) {
  if (report.users.length === 0) return <p class="muted">{t(`access.users.${whereUsersAre(report.method)}`)}</p>;
  return (
    <Table
      label={t('access.users')}
      columns={[
        { id: 'name', label: t('access.user'), cell: (u: Report['users'][number]) => <strong>{u.name}</strong> },
        { id: 'role', label: t('access.role'), cell: (u) => (u.role ? t(`user.role.${u.role}`) : t('access.role.none')) },
        { id: 'what', label: t('access.may'), cell: (u) => <span class="muted">{u.role ? t(`user.role.${u.role}.what`) : ''}</span> },
      ]}
      rows={report.users}
      rowKey={(u) => u.name}
    />
  );
}

function NodeCertificate({ node }: { node: string }) {
  const { data, error, reload } = useLoad(() => api.certificate(through(node)), [node, lang.value]);
  if (error) return <ErrorBox error={error} retry={reload} />;
  if (!data) return <Spinner text={node} />;
  return (
    <section class="certificate">
      <div class="row">
        <h3>{node}</h3>
        <Left certificate={data} />
      </div>
      {data.warning && !session.value?.warnings.includes(data.warning) && <Notice tone="warning">{told(data.warning)}</Notice>}
      {data.https && (
        <Facts
          facts={[
            [t('access.subject'), data.subject ?? '–'],
            [t('access.issuer'), data.issuer ?? '–'],
            [t('access.names'), data.names.join(', ') || '–'],
            [t('access.until'), data.not_after ?? '–'],
          ]}
        />
      )}
    </section>
  );
}

/** Days that are left: red when over, amber in the last month. */
function Left({ certificate: c }: { certificate: Certificate }) {
  if (!c.https) return <Badge tone="warning" icon="warning">{t('access.http')}</Badge>;
  const days = c.days_left ?? 0;
  const tone: Tone = days <= 0 ? 'bad' : days <= 30 ? 'warning' : 'good';
  return <Badge tone={tone} icon={tone === 'good' ? 'lock' : 'warning'}>{tn('access.left', days)}</Badge>;
}
