import type { ComponentChildren } from 'preact';
import { Help, type HelpTopic } from './Help';
import { Icon, type IconName } from './Icon';

export interface Crumb {
  label: string;
  href?: string;
}

/** Head of a page: where it is, what it is, what can be done. */
export function PageHead({ title, crumbs = [], subtitle, actions, titleEnd, help }: {
  title: string;
  /** What the question mark explains. */
  help?: HelpTopic;
  crumbs?: Crumb[];
  subtitle?: ComponentChildren;
  actions?: ComponentChildren;
  /** Beside the title, e.g. a badge. */
  titleEnd?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      <div class="page-head-text">
        {crumbs.length > 0 && (
          <ol class="crumbs">
            {crumbs.map((crumb) => (
              <li key={crumb.label}>{crumb.href ? <a href={crumb.href}>{crumb.label}</a> : crumb.label}</li>
            ))}
          </ol>
        )}
        <div class="page-title">
          <h1>{title}</h1>
          {help && <Help topic={help} />}
          {titleEnd}
        </div>
        {subtitle && <p class="page-subtitle">{subtitle}</p>}
      </div>
      {actions && <div class="page-actions">{actions}</div>}
    </header>
  );
}

/** A box with an optional head. */
export function Card({ title, icon, actions, children, class: className, flush }: {
  title?: ComponentChildren;
  icon?: IconName;
  actions?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  /** What is inside reaches the border, e.g. a table. */
  flush?: boolean;
}) {
  return (
    <section class={`card ${flush ? 'flush' : ''} ${className ?? ''}`}>
      {(title || actions) && (
        <header class="card-head">
          <div class="card-title">
            {icon && <Icon name={icon} />}
            {title && <h2>{title}</h2>}
          </div>
          {actions && <div class="card-actions">{actions}</div>}
        </header>
      )}
      <div class="card-body">{children}</div>
    </section>
  );
}

/** Where nothing is to be shown: why, and what to do. */
export function Empty({ icon = 'info', title, children, action }: {
  icon?: IconName;
  title: string;
  children?: ComponentChildren;
  action?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} size={26} />
      </span>
      <h3>{title}</h3>
      {children && <div class="empty-text">{children}</div>}
      {action && <div class="empty-action">{action}</div>}
    </div>
  );
}

/** Names and values. */
export function Facts({ facts }: { facts: [label: string, value: ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A remark over the page or a part of it. */
export function Notice({ tone, icon, title, children, actions }: {
  tone: 'info' | 'good' | 'warning' | 'bad';
  icon?: IconName;
  title?: string;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  const name = icon ?? (tone === 'good' ? 'checkCircle' : tone === 'info' ? 'info' : tone === 'bad' ? 'xCircle' : 'warning');
  return (
    <div class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon name={name} />
      <div class="notice-text">
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
      {actions && <div class="notice-actions">{actions}</div>}
    </div>
  );
}
