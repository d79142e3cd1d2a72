import { createContext, type ComponentChildren } from 'preact';
import { useContext, useState } from 'preact/hooks';
import type { Fault } from '../../../api/types';
import { choicesOf, FIELDS, type Field as Spec } from '../../../config/fields';
import { setAttr, type Item } from '../../../config/item';
import type { Mode } from '../../../config/module';
import { invalid } from '../../../config/validate';
import { type Key, t } from '../../../i18n';
import { en } from '../../../i18n/en';
import { Field, Icon, Select, Switch, TextInput } from '../../../ui';

/** What the fields of a form share. */
export interface FormState {
  mode: Mode | null;
  faults: readonly Fault[];
  /** Makes a change in the text of the file. */
  edit: (change: (text: string) => string) => void;
  /** Fields that nobody touched tell their faults too. */
  strict: boolean;
}

export const Form = createContext<FormState>({ mode: null, faults: [], edit: () => {}, strict: false });

export const useForm = (): FormState => useContext(Form);

/** A key that is made of parts, if there is a text for it. */
export function keyOf(...parts: string[]): Key | null {
  const key = parts.join('.');
  return key in en ? (key as Key) : null;
}

const text = (key: Key | null, otherwise = ''): string => (key ? t(key as 'ui.close') : otherwise);

/** What the server says of an attribute, or with no name of the tag as a whole. */
export function faultsOf(faults: readonly Fault[], item: Item, name: string | null): Fault[] {
  const line = name === null ? item.line : (item.lines[name] ?? item.line);
  return faults.filter((fault) => fault.tag === item.tag && fault.attribute === name && fault.line === line);
}

interface Props {
  item: Item;
  spec: Spec;
  /** Instead of writing the attribute of the tag. */
  set?: ((value: string | null) => void) | undefined;
  /** Values that are offered instead of what the kind of the field says. */
  options?: { value: string; label: string }[] | undefined;
  label?: string | undefined;
  /** Without its help, as in a table. */
  bare?: boolean | undefined;
  placeholder?: string | undefined;
  /** Written when the field is left, not with each key. */
  lazy?: boolean | undefined;
}

/** One attribute as a field of the form. */
export function Attr({ item, spec, set, options, label, bare, placeholder, lazy }: Props) {
  const { mode, faults, edit, strict } = useForm();
  const [typed, setTyped] = useState<string | null>(null);
  const [touched, setTouched] = useState(false);
  const value = typed ?? item.attrs[spec.name];
  const write = (next: string) => {
    const stored = next === '' && !spec.needed && !spec.empty ? null : next;
    if (set) set(stored);
    else edit((before) => setAttr(before, item.at, spec.name, stored));
  };
  const left = () => {
    setTouched(true);
    if (typed !== null) write(typed);
    setTyped(null);
  };
  const wrong = invalid(spec, value);
  const told = wrong ? t(wrong.key as 'invalid.int', 'values' in wrong ? wrong.values : { min: 0, max: 0 }) : faultsOf(faults, item, spec.name)[0]?.what;
  const error = touched || strict || (value ?? '') !== '' ? told : null;
  const name = label ?? text(keyOf('field', item.tag, spec.name), spec.name);
  const hint = bare ? '' : text(keyOf('field', item.tag, spec.name, 'help'));
  const words = options ?? choices(item, spec, mode);
  if (spec.kind === 'switch') {
    return <OnOff spec={spec} value={value} name={name} hint={hint} error={error} write={write} />;
  }
  return (
    <Field label={name} hint={hint || undefined} error={error}>
      {(props) =>
        words ? (
          <Select {...props} value={value ?? spec.default ?? ''} options={known(words, value ?? spec.default ?? '')} onValue={write} onBlur={() => setTouched(true)} />
        ) : (
          <TextInput {...props} value={value ?? ''} placeholder={placeholder ?? spec.default} onValue={lazy ? setTyped : write} onBlur={left} inputMode={spec.kind === 'port' ? 'numeric' : undefined} />
        )
      }
    </Field>
  );
}

function OnOff({ spec, value, name, hint, error, write }: {
  spec: Spec;
  value: string | undefined;
  name: string;
  hint: string;
  error: string | null | undefined;
  write: (value: string) => void;
}) {
  const [on, off] = spec.choices as [string, string];
  return (
    <div class="field field-switch">
      <Switch checked={(value ?? spec.default) === on} onChecked={(next) => write(next ? on : off)} hint={hint}>
        {name}
      </Switch>
      {error && (
        <small class="field-error" role="alert">
          <Icon name="warning" size={14} /> {error}
        </small>
      )}
    </div>
  );
}

function choices(item: Item, spec: Spec, mode: Mode | null): { value: string; label: string }[] | null {
  if (spec.kind !== 'choice') return null;
  const words = choicesOf(item.tag, spec, mode, item.attrs).map((value) => ({ value, label: wordOf(item.tag, spec.name, value) }));
  return spec.default === undefined && !spec.needed ? [{ value: '', label: t('choice.action.default') }, ...words] : words;
}

/** A word of the configuration as people say it. */
export function wordOf(tag: string, name: string, value: string): string {
  return text(keyOf('choice', tag, name, value) ?? keyOf('choice', name, value), value);
}

/** A value that is not offered, a macro perhaps, is shown as it is. */
function known(options: { value: string; label: string }[], value: string): { value: string; label: string }[] {
  return options.some((option) => option.value === value) ? options : [{ value, label: value }, ...options];
}

/** The field of one attribute. */
export function attrSpec(group: string, name: string): Spec {
  return FIELDS[group]!.find((spec) => spec.name === name)!;
}

/** Attributes of a tag: those of a group of FIELDS. */
export interface Part {
  item: Item;
  group: string;
  /** Instead of writing the attribute of the tag. */
  set?: (name: string, value: string | null) => void;
}

/** The attributes of one tag or of several; `more` are those that are seldom needed. */
export function Attrs({ more = false, parts, ...one }: Partial<Part> & { more?: boolean; parts?: Part[] }) {
  const { mode } = useForm();
  const all = parts ?? [one as Part];
  const fields = all.flatMap(({ item, group, set }) =>
    FIELDS[group]!
      .filter((spec) => (spec.more ?? false) === more && (!spec.modes || !mode || spec.modes.includes(mode)))
      .map((spec) => <Attr key={`${group}.${spec.name}`} item={item} spec={spec} set={set && ((value) => set(spec.name, value))} />),
  );
  if (fields.length === 0) return null;
  return more ? <More>{fields}</More> : <div class="form-grid">{fields}</div>;
}

/** What is seldom needed. */
export function More({ children }: { children: ComponentChildren }) {
  return (
    <details class="more">
      <summary>{t('form.more')}</summary>
      <div class="form-grid">{children}</div>
    </details>
  );
}

/** What the server says of tags, not of their attributes. */
export function TagFaults({ items }: { items: (Item | null)[] }) {
  const { faults } = useForm();
  const found = items.flatMap((item) => (item ? faultsOf(faults, item, null) : []));
  return (
    <>
      {found.map((fault) => (
        <p key={fault.what} class={`tag-fault ${fault.warning ? 'warning' : ''}`}>
          <Icon name="warning" size={15} /> {fault.what}
        </p>
      ))}
    </>
  );
}

/** A line with a field that adds something when it is confirmed. */
export function AddLine({ label, placeholder, button, check, onAdd }: {
  label: string;
  placeholder?: string;
  button: string;
  /** What is wrong with the value. */
  check?: (value: string) => string | null;
  onAdd: (value: string) => void;
}) {
  const [value, setValue] = useState('');
  const [error, setError] = useState<string | null>(null);
  const add = () => {
    const wrong = value === '' ? t('invalid.needed') : (check?.(value) ?? null);
    setError(wrong);
    if (wrong) return;
    onAdd(value);
    setValue('');
  };
  return (
    <div class={`add-line ${error ? 'invalid' : ''}`}>
      <TextInput
        value={value}
        onValue={(next) => {
          setValue(next);
          setError(null);
        }}
        aria-label={label}
        aria-invalid={error ? true : undefined}
        placeholder={placeholder ?? label}
        onKeyDown={(e) => {
          if (e.key !== 'Enter') return;
          e.preventDefault();
          add();
        }}
      />
      <button type="button" class="button secondary small" onClick={add}>
        <Icon name="plus" size={15} />
        <span>{button}</span>
      </button>
      {error && <small class="field-error" role="alert">{error}</small>}
    </div>
  );
}
