import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { route } from '../router';
import { recall, remember } from '../theme';
import { ConfirmHost, IconButton, Toasts } from '../ui';
import { Activities } from './Activities';
import { Banner } from './Banner';
import { Header } from './Header';
import { Sidebar } from './Sidebar';

const KEY = 'safekit.sidebar';

const collapsed = signal(recall(KEY) === 'collapsed');
/** On a phone the side bar lies over the page. */
export const drawer = signal(false);

/** What is around every page: side bar, header, banner of a lost connection, toasts. */
export function Shell({ children }: { children: ComponentChildren }) {
  const here = route.value.join('/');
  useEffect(() => {
    drawer.value = false;
  }, [here]);
  useDrawerFocus();
  return (
    <div class={`shell ${collapsed.value ? 'collapsed' : ''} ${drawer.value ? 'drawer-open' : ''}`}>
      <a class="skip" href="#content" onClick={skip}>
        {t('app.skip')}
      </a>
      <aside class="sidebar" onKeyDown={(e) => e.key === 'Escape' && (drawer.value = false)}>
        <Sidebar />
        <div class="sidebar-foot">
          <IconButton
            icon={collapsed.value ? 'chevronRight' : 'chevronLeft'}
            label={t(collapsed.value ? 'nav.expand' : 'nav.collapse')}
            onClick={toggle}
          />
        </div>
      </aside>
      <div class="drawer-shade" onClick={() => (drawer.value = false)} />
      <div class="main" inert={drawer.value}>
        <Header />
        <Banner />
        <main id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
      <ConfirmHost />
      <div class="corner">
        <Activities />
        <Toasts />
      </div>
    </div>
  );
}

/** The focus goes into the drawer with its first link, and back to the button that opened it. */
function useDrawerFocus(): void {
  const open = drawer.value;
  const was = useRef(open);
  useEffect(() => {
    if (open) document.querySelector<HTMLElement>('.sidebar a[href]')?.focus();
    else if (was.current) document.querySelector<HTMLElement>('.drawer-button')?.focus();
    was.current = open;
  }, [open]);
}

/** To the content; the address stays as it is. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function toggle(): void {
  collapsed.value = !collapsed.value;
  remember(KEY, collapsed.value ? 'collapsed' : 'open');
}
