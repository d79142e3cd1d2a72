import { useState } from 'preact/hooks';
import { api } from '../../api/api';
import { asProblem } from '../../api/problem';
import type { RoleName, TokenRow } from '../../api/types';
import { t } from '../../i18n';
import { session } from '../../session';
import { Badge, Button, Card, CodePane, confirm, Dialog, Empty, ErrorBox, Field, IconButton, Notice, notify, problemTitle, Select, Spinner, Table, TextInput, useLoad } from '../../ui';

const DAYS = [30, 90, 365];

/** How long a token may live of whom the node lets make one for so many days at most. */
export function daysOf(most: number): number[] {
  const fit = DAYS.filter((days) => days <= most);
  return most < Math.max(...DAYS) && !fit.includes(most) ? [...fit, most] : fit;
}

/** Tokens by which scripts use the API. */
export function Tokens() {
  const { data, error, reload } = useLoad(() => api.tokens(), []);
  const [making, setMaking] = useState(false);
  // This server knows no tokens.
  if (error && asProblem(error).status === 404) return null;
  return (
    <Card
      title={t('token.title')}
      icon="key"
      flush
      actions={<Button size="small" icon="plus" onClick={() => setMaking(true)}>{t('token.new')}</Button>}
    >
      <p class="pad muted">{t('token.here', { node: session.value?.node ?? window.location.hostname })}</p>
      {error ? <div class="pad"><ErrorBox error={error} retry={reload} /></div> : !data ? <div class="pad"><Spinner /></div> : <List tokens={data} reload={reload} />}
      {making && <NewToken onClose={() => setMaking(false)} reload={reload} />}
    </Card>
  );
}

function List({ tokens, reload }: { tokens: TokenRow[]; reload: () => void }) {
  const revoke = async (token: TokenRow) => {
    const effects = [t('token.revoke.effect', { name: token.name })];
    if (!(await confirm({ title: t('token.revoke.title', { name: token.name }), effects, confirm: t('token.revoke'), danger: true }))) return;
    try {
      await api.deleteToken(token.name);
      reload();
    } catch (error) {
      notify('bad', problemTitle(error), [asProblem(error).detail]);
    }
  };
  return (
    <Table<TokenRow>
      label={t('token.title')}
      columns={[
        { id: 'name', label: t('token.name'), cell: (k) => <strong>{k.name}</strong> },
        { id: 'role', label: t('access.role'), cell: (k) => t(`user.role.${k.role}`) },
        {
          id: 'maker', label: t('token.maker'),
          cell: (k) => (
            <>
              {k.maker?.user ?? '–'}
              {!k.works && <> <Badge tone="warning" icon="warning">{t('token.void', { user: k.maker?.user ?? '–' })}</Badge></>}
            </>
          ),
        },
        { id: 'created', label: t('token.created'), cell: (k) => <time class="since">{k.created}</time> },
        { id: 'expires', label: t('token.expires'), cell: (k) => <time class="since">{k.expires}</time> },
        { id: 'revoke', label: '', cell: (k) => <IconButton icon="trash" label={`${t('token.revoke')}: ${k.name}`} onClick={() => void revoke(k)} />, class: 'number' },
      ]}
      rows={tokens}
      rowKey={(k) => k.name}
      empty={<Empty icon="key" title={t('token.none')}><p>{t('token.none.text')}</p></Empty>}
    />
  );
}

function NewToken({ onClose, reload }: { onClose: () => void; reload: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<RoleName>('Monitor');
  const { data: access, error: unasked } = useLoad(api.access, []);
  const most = access?.token_days ?? DAYS[0]!;
  const choices = daysOf(most);
  const [chosen, setDays] = useState<number | null>(null);
  const days = chosen ?? Math.min(90, choices.at(-1)!);
  const [token, setToken] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const make = async () => {
    setBusy(true);
    setError(null);
    try {
      setToken((await api.createToken(name.trim(), role, days)).token);
      reload();
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  if (token) {
    return (
      <Dialog title={t('token.made')} onClose={onClose} actions={<Button variant="primary" onClick={onClose}>{t('ui.close')}</Button>}>
        <div class="stack">
          <Notice tone="warning">{t('token.once')}</Notice>
          <CodePane title={name} text={token} />
        </div>
      </Dialog>
    );
  }
  const roles: RoleName[] = ['Monitor', 'Control', 'Admin'];
  return (
    <Dialog
      title={t('token.new')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t('ui.cancel')}</Button>
          <Button variant="primary" busy={busy} disabled={name.trim() === '' || !access} onClick={() => void make()}>{t('token.make')}</Button>
        </>
      }
    >
      <div class="stack">
        {(error ?? unasked) !== null && <ErrorBox error={error ?? unasked} />}
        <Field label={t('token.name')} hint={t('token.name.hint')}>
          {(props) => <TextInput {...props} value={name} onValue={setName} autoFocus />}
        </Field>
        <Field label={t('access.role')} hint={t(`user.role.${role}.what`)}>
          {(props) => <Select {...props} value={role} onValue={setRole} options={roles.map((r) => ({ value: r, label: t(`user.role.${r}`) }))} />}
        </Field>
        <Field label={t('token.days')} hint={access && choices.length < DAYS.length ? t('token.days.most', { days: most }) : undefined}>
          {(props) => <Select {...props} value={String(days)} onValue={(d) => setDays(Number(d))} options={choices.map((d) => ({ value: String(d), label: t('token.days.n', { days: d }) }))} />}
        </Field>
      </div>
    </Dialog>
  );
}
