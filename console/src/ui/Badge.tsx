import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './Icon';
import type { Tone } from './Toast';

/** A short word with a colour; an icon too, so that the colour never stands alone. */
export function Badge({ tone = 'neutral', icon, children, title }: {
  tone?: Tone;
  icon?: IconName;
  children: ComponentChildren;
  title?: string;
}) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {icon && <Icon name={icon} size={14} />}
      <span>{children}</span>
    </span>
  );
}
