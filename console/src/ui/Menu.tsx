import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './Icon';

export type MenuItem =
  | {
      kind?: 'action';
      label: string;
      icon?: IconName;
      /** A second line that says what it does, or why it is disabled. */
      hint?: string;
      danger?: boolean;
      disabled?: boolean;
      checked?: boolean;
      onSelect: () => void;
    }
  | { kind: 'link'; label: string; icon?: IconName; hint?: string; href: string; external?: boolean; download?: boolean }
  | { kind: 'heading'; label: string }
  | { kind: 'separator' };

interface Props {
  /** Name of the button, said by screen readers. */
  label: string;
  /** A function is asked when the menu opens: what takes work is not done for menus that stay closed. */
  items: MenuItem[] | (() => MenuItem[]);
  icon?: IconName;
  /** Shown in the button instead of the icon alone. */
  children?: ComponentChildren;
  class?: string;
  disabled?: boolean;
}

/** A button with a menu: arrows, Home, End, first letters and Escape as in any menu. */
export function Menu({ label, items, icon = 'more', children, class: className, disabled }: Props) {
  const [open, setOpen] = useState<'keys' | 'pointer' | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = (focus: boolean) => {
    setOpen(null);
    if (focus) button.current?.focus();
  };
  return (
    <div class={`menu ${className ?? ''}`}>
      <button
        ref={button}
        type="button"
        class={children ? 'menu-button' : 'icon-button'}
        aria-haspopup="menu"
        aria-expanded={open !== null}
        aria-controls={open ? id : undefined}
        aria-label={label}
        title={children ? undefined : label}
        disabled={disabled}
        // A click without a pointer is a key.
        onClick={(e) => setOpen(open ? null : e.detail === 0 ? 'keys' : 'pointer')}
        onKeyDown={(e) => {
          if (e.key !== 'ArrowDown') return;
          e.preventDefault();
          setOpen('keys');
        }}
      >
        {children ?? <Icon name={icon} />}
      </button>
      {open && <Popup id={id} label={label} items={typeof items === 'function' ? items() : items} anchor={button} keys={open === 'keys'} close={close} />}
    </div>
  );
}

function Popup({ id, label, items, anchor, keys, close }: {
  id: string;
  label: string;
  items: MenuItem[];
  anchor: { current: HTMLElement | null };
  /** Opened by a key: its first item is chosen at once. Under a pointer none is, until one is pointed at. */
  keys: boolean;
  close: (focus: boolean) => void;
}) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    // In the top layer: over whatever the button lies in.
    list.current?.showPopover();
    if (list.current && anchor.current) place(list.current, anchor.current);
    (keys ? choices(list.current)[0] : list.current)?.focus();
  }, []);
  useEffect(() => {
    const outside = (e: Event) => {
      const target = e.target as Node;
      if (!list.current?.contains(target) && !anchor.current?.contains(target)) close(false);
    };
    const moved = () => close(false);
    document.addEventListener('pointerdown', outside);
    window.addEventListener('resize', moved);
    window.addEventListener('scroll', outside, true);
    return () => {
      document.removeEventListener('pointerdown', outside);
      window.removeEventListener('resize', moved);
      window.removeEventListener('scroll', outside, true);
    };
  }, []);
  return (
    <div
      id={id}
      ref={list}
      popover="manual"
      class="popup"
      role="menu"
      aria-label={label}
      tabIndex={-1}
      onKeyDown={(e) => onKey(e, list.current, close)}
      onPointerMove={(e) => pointed(e, list.current)}
    >
      {items.map((item, i) => (
        <Entry key={i} item={item} close={close} />
      ))}
    </div>
  );
}

/** The item under the pointer is the one that keys go on from. */
function pointed(e: PointerEvent, list: HTMLElement | null): void {
  const item = (e.target as Element).closest<HTMLElement>('[role^=menuitem]');
  if (item !== document.activeElement) (item ?? list)?.focus({ preventScroll: true });
}

function Entry({ item, close }: { item: MenuItem; close: (focus: boolean) => void }) {
  if (item.kind === 'separator') return <hr class="popup-line" role="separator" />;
  if (item.kind === 'heading') return <div class="popup-heading">{item.label}</div>;
  const inside = (
    <>
      {item.icon && <Icon name={item.icon} size={17} />}
      <span class="popup-text">
        <span>{item.label}</span>
        {item.hint && <small>{item.hint}</small>}
      </span>
    </>
  );
  if (item.kind === 'link') {
    const more = item.external ? { target: '_blank', rel: 'noreferrer' } : item.download ? { download: '' } : {};
    return (
      <a class="popup-item" role="menuitem" tabIndex={-1} href={item.href} {...more} onClick={() => close(false)}>
        {inside}
      </a>
    );
  }
  const checkable = item.checked !== undefined;
  return (
    <button
      type="button"
      class={`popup-item ${item.danger ? 'danger' : ''}`}
      role={checkable ? 'menuitemradio' : 'menuitem'}
      aria-checked={checkable ? item.checked : undefined}
      tabIndex={-1}
      aria-disabled={item.disabled || undefined}
      onClick={() => {
        if (item.disabled) return;
        close(true);
        item.onSelect();
      }}
    >
      {inside}
      {item.checked && <Icon name="check" size={15} class="popup-check" />}
    </button>
  );
}

const choices = (list: HTMLElement | null): HTMLElement[] =>
  Array.from(list?.querySelectorAll<HTMLElement>('.popup-item') ?? []);

/** Below the button and aligned with its end, or wherever there is room. */
function place(list: HTMLElement, anchor: HTMLElement): void {
  const [box, at] = [list.getBoundingClientRect(), anchor.getBoundingClientRect()];
  const margin = 8;
  const right = Math.max(margin, Math.min(at.right - box.width, window.innerWidth - box.width - margin));
  const below = at.bottom + 4;
  const fits = below + box.height + margin <= window.innerHeight;
  list.style.left = `${right}px`;
  list.style.top = `${fits ? below : Math.max(margin, at.top - 4 - box.height)}px`;
}

function onKey(e: KeyboardEvent, list: HTMLElement | null, close: (focus: boolean) => void): void {
  const all = choices(list);
  const at = all.indexOf(document.activeElement as HTMLElement);
  const to = (i: number) => all[(i + all.length) % all.length]?.focus();
  if (e.key === 'Escape') close(true);
  else if (e.key === 'Tab') return close(false);
  else if (e.key === 'ArrowDown') to(at + 1);
  else if (e.key === 'ArrowUp') to(Math.max(at, 0) - 1);
  else if (e.key === 'Home') to(0);
  else if (e.key === 'End') to(-1);
  else if (e.key.length === 1 && e.key !== ' ') {
    const wanted = e.key.toLocaleLowerCase();
    const found = [...all.slice(at + 1), ...all].find((x) => x.textContent?.toLocaleLowerCase().startsWith(wanted));
    found?.focus();
    return;
  } else return;
  e.preventDefault();
  e.stopPropagation();
}
