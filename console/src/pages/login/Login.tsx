import { useEffect, useState } from 'preact/hooks';
import { asProblem } from '../../api/problem';
import { lang, t, tn } from '../../i18n';
import { query, switchLang } from '../../router';
import { ended, login, session } from '../../session';
import { Logo } from '../../shell/Logo';
import { setTheme, theme } from '../../theme';
import { Button, Field, LinkButton, Notice, PasswordInput, problemDetail, problemTitle, TextInput } from '../../ui';

/** Name and password, or the identity provider (WEB-22). The page asked for appears after it. */
export function Login() {
  const now = session.value!;
  const password = now.methods.includes('password');
  const openid = now.methods.includes('openid');
  const host = window.location.hostname;
  useEffect(() => {
    document.title = `${t('login.title')} · SafeKit`;
  }, [lang.value]);
  return (
    <div class="login">
      <main class="login-box">
        <div class="login-brand">
          <Logo size={40} />
          {t('app.name')}
        </div>
        <div class="login-card">
          <div>
            <h1>{t('login.title')}</h1>
            <p class="login-where">{now.node ? t('login.where', { node: now.node, host }) : t('login.host', { host })}</p>
          </div>
          {ended.value && <Notice tone="info">{t('login.ended')}</Notice>}
          {query.value.has('error') && <Notice tone="bad" title={t('login.openid.failed')}>{t(why(query.value.get('error')))}</Notice>}
          {now.methods.includes('certificate') && <Notice tone="info">{t('login.certificate')}</Notice>}
          {password && <PasswordForm />}
          {password && openid && <div class="login-or">{t('login.or')}</div>}
          {openid && (
            <LinkButton href={openidHref()} icon="key" variant={password ? 'secondary' : 'primary'}>
              {t('login.openid')}
            </LinkButton>
          )}
          {!now.https && <small>{t('login.http')}</small>}
        </div>
        <footer class="login-foot">
          <button type="button" class="link" onClick={() => switchLang(lang.value === 'en' ? 'fr' : 'en')}>
            {lang.value === 'en' ? 'Français' : 'English'}
          </button>
          <button type="button" class="link" onClick={() => setTheme(isDark() ? 'light' : 'dark')}>
            {t(isDark() ? 'user.theme.light' : 'user.theme.dark')}
          </button>
          <span>SafeKit {now.version}</span>
        </footer>
      </main>
    </div>
  );
}

const CODES = ['provider', 'refused', 'token', 'foreign', 'busy', 'unverified', 'nameless'] as const;

/** What a code of the server means. Any address can be given to somebody: no text of it is shown. */
const why = (code: string | null) => {
  const known = CODES.find((c) => c === code);
  return known ? (`login.openid.${known}` as const) : 'login.openid.other';
};

const isDark = (): boolean => {
  void theme.value;
  return document.documentElement.dataset['theme'] === 'dark';
};

/** The provider sends the browser back to the page asked for. */
const openidHref = (): string => `/api/v1/openid/login?next=${encodeURIComponent(window.location.pathname)}`;

type Refusal = { kind: 'wrong' } | { kind: 'wait'; until: number } | { kind: 'problem'; error: unknown };

function PasswordForm() {
  const [user, setUser] = useState('admin');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const left = useSecondsUntil(refusal?.kind === 'wait' ? refusal.until : null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setRefusal(null);
    try {
      await login(user.trim(), password);
    } catch (error) {
      setRefusal(refusalOf(error));
      setPassword('');
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(e) => void submit(e)}>
      <div aria-live="assertive">
        {refusal?.kind === 'wrong' && <Notice tone="bad">{t('login.wrong')}</Notice>}
        {refusal?.kind === 'wait' && left > 0 && <Notice tone="warning" icon="clock">{tn('login.wait', left)}</Notice>}
        {refusal?.kind === 'problem' && (
          <Notice tone="bad" title={problemTitle(refusal.error)}>
            {problemDetail(refusal.error)}
          </Notice>
        )}
      </div>
      <Field label={t('login.user')}>
        {(props) => <TextInput {...props} name="username" autocomplete="username" autocapitalize="off" required value={user} onValue={setUser} />}
      </Field>
      <Field label={t('login.password')}>
        {(props) => (
          <PasswordInput {...props} name="password" autocomplete="current-password" required autoFocus value={password} onValue={setPassword} />
        )}
      </Field>
      <Button type="submit" variant="primary" busy={busy} disabled={left > 0}>
        {t('login.submit')}
      </Button>
    </form>
  );
}

function refusalOf(error: unknown): Refusal {
  const problem = asProblem(error);
  if (problem.status === 401) return { kind: 'wrong' };
  if (problem.status === 429) return { kind: 'wait', until: Date.now() + (problem.retryAfter ?? 30) * 1000 };
  return { kind: 'problem', error };
}

/** Seconds that are left until a time, counted down. */
function useSecondsUntil(until: number | null): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (until === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return until === null ? 0 : Math.max(0, Math.ceil((until - now) / 1000));
}
