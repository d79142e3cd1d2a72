import type { ComponentChildren, InputHTMLAttributes, SelectHTMLAttributes } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { IconButton } from './Button';
import { Icon } from './Icon';

interface Described {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

/** Label, control, hint and error of one value. The control takes what the function is given. */
export function Field({ label, hint, error, children, inline }: {
  label: ComponentChildren;
  hint?: ComponentChildren;
  error?: string | null | undefined;
  inline?: boolean;
  children: (props: Described) => ComponentChildren;
}) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  return (
    <div class={`field ${inline ? 'inline' : ''} ${error ? 'invalid' : ''}`}>
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': error ? true : undefined })}
      {hint && (
        <small id={`${id}-hint`} class="field-hint">
          {hint}
        </small>
      )}
      {error && (
        <small id={`${id}-error`} class="field-error">
          <Icon name="warning" size={14} /> {error}
        </small>
      )}
    </div>
  );
}

type TextProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onInput' | 'onChange' | 'role' | 'type' | 'list'> & {
  type?: 'text' | 'password' | 'search' | 'number';
  value: string;
  onValue: (value: string) => void;
};

export function TextInput({ value, onValue, type = 'text', ...rest }: TextProps) {
  const input = useRef<HTMLInputElement>(null);
  // The browser does so by itself only while the page is loaded.
  useEffect(() => {
    if (rest.autoFocus) input.current?.focus();
  }, []);
  // The types of Preact tell the attributes of each type apart; here the caller chooses the type.
  const attributes = { spellcheck: false, ...rest, type } as InputHTMLAttributes<HTMLInputElement>;
  return <input {...attributes} ref={input} class={`input ${rest.class ?? ''}`} value={value} onInput={(e) => onValue(e.currentTarget.value)} />;
}

export function PasswordInput(props: TextProps) {
  const [shown, setShown] = useState(false);
  return (
    <span class="input-with">
      <TextInput {...props} type={shown ? 'text' : 'password'} autocapitalize="off" />
      <IconButton icon={shown ? 'eyeOff' : 'eye'} label={t(shown ? 'ui.hidePassword' : 'ui.showPassword')} onClick={() => setShown(!shown)} />
    </span>
  );
}

/** A text field that filters what is below it. */
export function SearchInput({ value, onValue, label, ...rest }: TextProps & { label: string }) {
  return (
    <span class="search">
      <Icon name="search" size={16} />
      <TextInput {...rest} type="search" aria-label={label} placeholder={label} value={value} onValue={onValue} />
    </span>
  );
}

export function Select<V extends string>({ value, options, onValue, ...rest }: {
  value: V;
  options: { value: V; label: string; disabled?: boolean }[];
  onValue: (value: V) => void;
} & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'value' | 'onChange' | 'role' | 'multiple' | 'size'>) {
  return (
    <select {...rest} class={`input select ${rest.class ?? ''}`} value={value} onChange={(e) => onValue(e.currentTarget.value as V)}>
      {options.map((o) => (
        <option key={o.value} value={o.value} disabled={o.disabled}>
          {o.label}
        </option>
      ))}
    </select>
  );
}

interface Checked {
  checked: boolean;
  onChecked: (checked: boolean) => void;
  disabled?: boolean;
  children: ComponentChildren;
  hint?: string;
}

export function Checkbox({ checked, onChecked, disabled, children, hint }: Checked) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(e) => onChecked(e.currentTarget.checked)} />
      <span>
        {children}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}

/** A setting that acts at once. */
export function Switch({ checked, onChecked, disabled, children, hint }: Checked) {
  return (
    <label class="check switch">
      <input type="checkbox" role="switch" checked={checked} disabled={disabled} onChange={(e) => onChecked(e.currentTarget.checked)} />
      <span>
        {children}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}
