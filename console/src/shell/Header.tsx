import { lang, t, type Lang } from '../i18n';
import { switchLang } from '../router';
import { logout, role, session } from '../session';
import { connection, here, nodes } from '../state/cluster';
import { setTheme, theme, type Theme } from '../theme';
import { Icon, IconButton, Menu, notify, problemTitle, type MenuItem } from '../ui';
import { drawer } from './Shell';

/** Connection node, menu of the user. */
export function Header() {
  const own = nodes.value.find((n) => n.name === here.value) ?? nodes.value[0];
  return (
    <header class="header">
      <IconButton class="drawer-button" icon="menu" label={t('nav.open')} aria-expanded={drawer.value} onClick={() => (drawer.value = true)} />
      <ConnectionPill node={here.value ?? own?.name ?? window.location.hostname} />
      <span class="header-space" />
      {session.value?.authenticated && <UserMenu />}
    </header>
  );
}

/** How the connection is, in a word and a colour. */
function ConnectionPill({ node }: { node: string }) {
  const state = connection.value.state;
  const word = state === 'live' ? t('connection.live') : state === 'connecting' ? t('connection.connecting') : t('connection.connecting');
  return (
    <span class={`pill ${state}`} title={t('header.connection', { node })}>
      <span class="dot" aria-hidden="true" />
      <strong>{node}</strong>
      <span class="pill-word">{word}</span>
    </span>
  );
}

function UserMenu() {
  const user = session.value?.user ?? '';
  const name = role.value;
  const theme_ = (value: Theme): MenuItem => ({
    label: t(`user.theme.${value}`),
    icon: value === 'dark' ? 'moon' : value === 'light' ? 'sun' : 'monitor',
    checked: theme.value === value,
    onSelect: () => setTheme(value),
  });
  const language = (value: Lang, label: string): MenuItem => ({
    label,
    icon: 'globe',
    checked: lang.value === value,
    onSelect: () => switchLang(value),
  });
  const items: MenuItem[] = [
    { kind: 'link', label: t('user.guide'), icon: 'help', href: '/console/guide/index.html', external: true },
    { kind: 'link', label: t('user.api'), icon: 'code', href: '/swagger-ui/index.html', external: true },
    { kind: 'link', label: t('user.licenses'), icon: 'file', href: '/console/3rdpartylicenses.txt', external: true },
    { kind: 'heading', label: t('user.language') },
    language('en', 'English'),
    language('fr', 'Français'),
    { kind: 'heading', label: t('user.theme') },
    theme_('system'),
    theme_('light'),
    theme_('dark'),
  ];
  if (!session.value?.methods.includes('none')) {
    items.push({ kind: 'separator' }, { label: t('user.logout'), icon: 'logout', onSelect: () => void leave() });
  }
  return (
    <Menu label={t('header.user', { user })} items={items} class="user-menu">
      <span class="avatar" aria-hidden="true">
        <Icon name="user" size={17} />
      </span>
      <span class="user-text">
        <strong>{user}</strong>
        {name && <small>{t(`user.role.${name}`)}</small>}
      </span>
      <Icon name="chevronDown" size={15} />
    </Menu>
  );
}

async function leave(): Promise<void> {
  try {
    await logout();
  } catch (error) {
    notify('bad', problemTitle(error));
  }
}
