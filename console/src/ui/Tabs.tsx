import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from './Icon';

export interface Tab {
  id: string;
  label: string;
  icon?: IconName;
  href: string;
  count?: number | undefined;
}

/** Sub-pages of a page; each has its own address. */
export function Tabs({ label, tabs, current }: { label: string; tabs: Tab[]; current: string }) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone they do not all fit.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [current]);
  return (
    <nav ref={nav} class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.id} class="tab" href={tab.href} aria-current={tab.id === current ? 'page' : undefined}>
          {tab.icon && <Icon name={tab.icon} size={16} />}
          <span>{tab.label}</span>
          {tab.count !== undefined && <span class="tab-count">{tab.count}</span>}
        </a>
      ))}
    </nav>
  );
}

/** One of a few choices, side by side. */
export function Segmented<V extends string>({ label, value, options, onChange }: {
  label: string;
  value: V;
  options: { value: V; label: string; icon?: IconName }[];
  onChange: (value: V) => void;
}) {
  return (
    <div class="segmented" role="radiogroup" aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          aria-checked={option.value === value}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => onChange(option.value)}
          onKeyDown={(e) => {
            const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
            if (step === 0) return;
            e.preventDefault();
            const at = options.findIndex((o) => o.value === value);
            const next = options[(at + step + options.length) % options.length]!;
            onChange(next.value);
            const buttons = (e.currentTarget as HTMLElement).parentElement?.querySelectorAll('button');
            buttons?.[options.indexOf(next)]?.focus();
          }}
        >
          {option.icon && <Icon name={option.icon} size={15} />}
          <span>{option.label}</span>
        </button>
      ))}
    </div>
  );
}
