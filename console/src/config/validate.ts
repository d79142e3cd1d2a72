/** What is wrong with a value while one types it: the key of a text, and what the text holds. */
import type { Field } from './fields';

export type Invalid =
  | { key: 'invalid.needed' | 'invalid.port' | 'invalid.anyport' | 'invalid.address' | 'invalid.path' | 'invalid.relative' }
  | { key: 'invalid.name' | 'invalid.module' | 'invalid.node' | 'invalid.variable' | 'invalid.mac' | 'invalid.interface' }
  | { key: 'invalid.netmask' | 'invalid.regex' | 'invalid.crontab' | 'invalid.duration' }
  | { key: 'invalid.int'; values: { min: number; max: number } };

const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const LABEL = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

function isIpv6(text: string): boolean {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(':')) return false;
  try {
    return new URL(`http://[${text}]/`).hostname.length > 2;
  } catch {
    return false;
  }
}

/** A literal IPv4 or IPv6 address, the latter also in brackets, or a host name (CFG-CL-08). */
export function isAddress(text: string): boolean {
  if (text.startsWith('[')) return text.endsWith(']') && isIpv6(text.slice(1, -1));
  if (IPV4.test(text) || isIpv6(text)) return true;
  // Digits and dots only would be a mistyped IPv4 address, never a name.
  return !/^[\d.]*$/.test(text) && text.length <= 253 && text.split('.').every((label) => LABEL.test(label));
}

/** A name of a module: also a directory (`ids.rs`). */
export function isModuleName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(text);
}

function isInt(text: string, min: number, max: number): boolean {
  return /^-?\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
}

function isNormal(path: string): boolean {
  return path.split('/').every((part) => part !== '..' && part !== '.');
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text.replace(/^!/, ''));
    return true;
  } catch {
    return false;
  }
}

function isNetmask(text: string): boolean {
  if (!IPV4.test(text)) return false;
  const bits = text.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('');
  return /^1+0*$/.test(bits);
}

const CHECKS: Partial<Record<Field['kind'], (text: string) => boolean>> = {
  duration: (text) => /^\d{1,12}(ms|s|m|h|d)?$/.test(text),
  address: isAddress,
  addresses: (text) => text.trim().split(/\s+/).every(isAddress),
  port: (text) => isInt(text, 1, 65535),
  anyport: (text) => text === '*' || isInt(text, 1, 65535),
  path: (text) => /^\/+[^/]/.test(text) && isNormal(text),
  relative: (text) => !text.startsWith('/') && isNormal(text),
  name: (text) => /^[A-Za-z0-9._:[\]/-]{1,64}$/.test(text),
  module: isModuleName,
  node: (text) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text),
  variable: (text) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text),
  mac: (text) => /^[0-9a-fA-F][02468aceACE]([:-][0-9a-fA-F]{2}){5}$/.test(text),
  interface: (text) => /^[!-.0-~]{1,15}$/.test(text),
  netmask: isNetmask,
  regex: isRegex,
  crontab: (text) => /^([\w*,/-]+\s+){4}[\w*,/-]+$/.test(text.trim()),
};

/** What is wrong with the value of a field; `undefined`: the attribute is not written. */
export function invalid(field: Field, value: string | undefined): Invalid | null {
  if (value === undefined || value === '') {
    return field.needed || (value === '' && field.kind !== 'text') ? { key: 'invalid.needed' } : null;
  }
  // The server knows what a macro stands for.
  if (/%\w+%/.test(value)) return null;
  if (field.kind === 'int') {
    const [min, max] = [field.min ?? 0, field.max ?? Number.MAX_SAFE_INTEGER];
    return isInt(value, min, max) ? null : { key: 'invalid.int', values: { min, max } };
  }
  const good = CHECKS[field.kind];
  if (!good || good(value)) return null;
  return { key: field.kind === 'addresses' ? 'invalid.address' : (`invalid.${field.kind}` as 'invalid.name') };
}
