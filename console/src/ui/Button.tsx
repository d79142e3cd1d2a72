import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { Icon, type IconName } from './Icon';

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon' | 'size' | 'loading'> {
  variant?: 'primary' | 'secondary' | 'danger' | 'ghost';
  size?: 'small' | 'normal';
  icon?: IconName;
  /** Something that it started is going on: it cannot be pressed again. */
  busy?: boolean;
  children?: ComponentChildren;
}

export function Button({ variant = 'secondary', size = 'normal', icon, busy, children, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      {...rest}
      class={`button ${variant} ${size} ${rest.class ?? ''}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
    >
      {busy ? <span class="ring" aria-hidden="true" /> : icon && <Icon name={icon} size={size === 'small' ? 15 : 17} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

/** A link that looks like a button. */
export function LinkButton({
  href,
  icon,
  variant = 'secondary',
  download,
  external,
  children,
}: {
  href: string;
  icon?: IconName;
  variant?: 'primary' | 'secondary' | 'ghost';
  /** Name of the file, or true for the server's name. */
  download?: string | boolean;
  external?: boolean;
  children: ComponentChildren;
}) {
  const file = download === undefined || download === false ? {} : { download: download === true ? '' : download };
  return (
    <a class={`button ${variant} normal`} href={href} {...file} {...(external ? { target: '_blank', rel: 'noreferrer' } : {})}>
      {icon && <Icon name={icon} size={17} />}
      <span>{children}</span>
    </a>
  );
}

/** A button of an icon alone: the label is its name and its tooltip. */
export function IconButton({
  icon,
  label,
  size = 18,
  ...rest
}: { icon: IconName; label: string; size?: number } & Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon' | 'size' | 'label'>) {
  return (
    <button type="button" {...rest} class={`icon-button ${rest.class ?? ''}`} aria-label={label} title={label}>
      <Icon name={icon} size={size} />
    </button>
  );
}
