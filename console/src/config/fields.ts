/**
 * The attributes that the forms show: of which kind each is, its default and its limits, as the parser
 * of the server has them (src/config). The server checks everything again; this is for a quick answer
 * while one types. Labels and helps are the texts `field.<tag>.<attribute>`.
 */
import type { Mode } from './module';

export type FieldKind =
  | 'text'
  | 'int'
  | 'duration'
  | 'switch'
  | 'choice'
  | 'address'
  | 'port'
  | 'anyport'
  | 'path'
  | 'relative'
  | 'name'
  | 'module'
  | 'node'
  | 'variable'
  | 'mac'
  | 'interface'
  | 'netmask'
  | 'regex'
  | 'crontab'
  | 'addresses';

export interface Field {
  name: string;
  kind: FieldKind;
  /** What holds when the attribute is not written. */
  default?: string;
  /** Words of a choice; of a switch, the word for on and the one for off. */
  choices?: readonly string[];
  min?: number;
  max?: number;
  /** Unit of a number; of a duration, the one that a bare number has. */
  unit?: 'ms' | 's' | 'min' | 'h' | 'KB' | 'KB/s' | 'MB';
  needed?: boolean;
  /** An empty value is written too. */
  empty?: boolean;
  /** For one mode only. */
  modes?: readonly Mode[];
  /** Behind "More settings". */
  more?: boolean;
}

const onOff = (name: string, value: 'on' | 'off', rest: Partial<Field> = {}): Field => ({
  name, kind: 'switch', choices: ['on', 'off'], default: value, ...rest,
});
const when: Field = { name: 'when', kind: 'choice', choices: ['pre', 'prim', 'second', 'both'], needed: true };
const interval: Field = { name: 'interval', kind: 'duration', unit: 's', default: '10s', more: true };
const timeout: Field = { name: 'timeout', kind: 'duration', unit: 's', default: '5s', more: true };
const ident: Field = { name: 'ident', kind: 'name', needed: true };
const actions = ['restart', 'stopstart', 'stop', 'wait'] as const;
const seconds = (name: string, value: string, rest: Partial<Field> = {}): Field => ({
  name, kind: 'duration', unit: 's', default: value, more: true, ...rest,
});

export const FIELDS: Record<string, readonly Field[]> = {
  service: [
    { name: 'boot', kind: 'choice', choices: ['ignore', 'on', 'off', 'auto'], default: 'ignore' },
    { name: 'defaultprim', kind: 'text', default: 'alone', modes: ['mirror'] },
    onOff('failover', 'on', { modes: ['mirror'] }),
    { name: 'maxloop', kind: 'int', min: 0, max: 1000, default: '3', more: true },
    { name: 'loop_interval', kind: 'duration', unit: 'h', default: '24h', more: true },
    seconds('boot_delay', '0s'),
    onOff('automatic_reboot', 'off', { more: true }),
  ],
  macro: [{ name: 'name', kind: 'variable', needed: true }, { name: 'value', kind: 'text', empty: true }],
  heart: [
    { name: 'timeout', kind: 'duration', unit: 'ms', default: '30s' },
    { name: 'pulse', kind: 'duration', unit: 'ms', default: '700ms', more: true },
    { name: 'port', kind: 'port', more: true },
    onOff('permanent_arp', 'on', { more: true }),
  ],
  farm: [
    { name: 'port', kind: 'port', more: true },
    { name: 'pulse', kind: 'duration', unit: 'ms', default: '700ms', more: true },
    { name: 'mlost_count', kind: 'int', min: 2, max: 1000, default: '6', more: true },
    { name: 'slost_count', kind: 'int', min: 2, max: 1000, default: '12', more: true },
  ],
  rfs: [
    { name: 'async', kind: 'choice', choices: ['second', 'none'], default: 'second' },
    { name: 'reiallowedbw', kind: 'int', unit: 'KB/s', min: 1, max: 4294967295 },
    onOff('acl', 'off', { more: true }),
    { name: 'nbrei', kind: 'int', min: 1, max: 64, default: '3', more: true },
    seconds('locktimeout', '100s'),
    seconds('sendtimeout', '30s'),
    seconds('reitimeout', '150s'),
    { name: 'syncdelta', kind: 'duration', unit: 'min', default: '0m', more: true },
    { name: 'syncat', kind: 'crontab', more: true },
    { name: 'rescuelimit', kind: 'int', unit: 'MB', min: 0, max: 1 << 30, default: '10240', more: true },
  ],
  replicated: [{ name: 'dir', kind: 'path', needed: true }],
  notreplicated: [{ name: 'path', kind: 'relative' }, { name: 'regexpath', kind: 'regex' }],
  tocheck: [{ name: 'path', kind: 'relative', needed: true }],
  vip: [onOff('tcpreset', 'on', { more: true }), onOff('keepconnections', 'on', { more: true, modes: ['farm'] })],
  interface: [
    onOff('check', 'on'),
    onOff('arpreroute', 'off'),
    { name: 'name', kind: 'interface', more: true },
    seconds('arpinterval', '60s'),
    seconds('arpelapse', '1200s'),
  ],
  virtual_interface: [{ name: 'addr', kind: 'mac', more: true }],
  virtual_addr: [
    { name: 'addr', kind: 'address', needed: true },
    { name: 'netmask', kind: 'netmask' },
    onOff('check', 'on'),
    onOff('connections', 'off'),
  ],
  group: [{ name: 'name', kind: 'name', needed: true }],
  rule: [
    { name: 'virtual_addr', kind: 'text', default: '*' },
    { name: 'proto', kind: 'choice', choices: ['tcp', 'udp', 'arp'], needed: true },
    { name: 'port', kind: 'anyport', default: '*' },
    { name: 'filter', kind: 'choice', choices: ['on_addr', 'on_port', 'on_ipid'], needed: true },
  ],
  host: [{ name: 'power', kind: 'int', min: 0, max: 256, needed: true }],
  user: [
    seconds('nicestoptimeout', '300s', { more: false }),
    seconds('forcestoptimeout', '300s', { more: false }),
    { name: 'logging', kind: 'choice', choices: ['userlog', 'none'], default: 'userlog' },
    { name: 'userlogsize', kind: 'int', unit: 'KB', min: 1, max: 4 << 20, default: '2048', more: true },
  ],
  var: [{ name: 'name', kind: 'variable', needed: true }, { name: 'value', kind: 'text', empty: true }],
  errd: [seconds('polltimer', '30s')],
  proc: [
    { name: 'name', kind: 'name', needed: true },
    { name: 'service', kind: 'switch', choices: ['yes', 'no'], default: 'no' },
    { name: 'class', kind: 'name', needed: true },
    { name: 'action', kind: 'text', default: 'stopstart' },
    { name: 'atleast', kind: 'int', min: -1, max: 1_000_000, default: '1', more: true },
    { name: 'atmax', kind: 'int', min: -1, max: 1_000_000, default: '-1', more: true },
    { name: 'nameregex', kind: 'regex', more: true },
    { name: 'argregex', kind: 'regex', more: true },
    { name: 'start_after', kind: 'int', min: 0, max: 1000, default: '0', more: true },
  ],
  tcp: [ident, when, { name: 'action', kind: 'choice', choices: actions }],
  ping: [ident, { name: 'action', kind: 'choice', choices: actions, default: 'wait' }],
  intf: [ident, { name: 'intf', kind: 'interface' }],
  ip: [ident],
  custom: [
    ident,
    when,
    { name: 'exec', kind: 'text', needed: true },
    { name: 'arg', kind: 'text' },
    { name: 'action', kind: 'choice', choices: [...actions, 'noaction'], default: 'noaction' },
  ],
  module: [{ name: 'name', kind: 'module', needed: true }, { name: 'ident', kind: 'name', more: true }],
  splitbrain: [ident, { name: 'arg', kind: 'addresses', needed: true }],
  'tcp.to': [{ name: 'addr', kind: 'address', needed: true }, { name: 'port', kind: 'port', needed: true }, interval, timeout],
  'ping.to': [{ name: 'addr', kind: 'address', needed: true }, interval, timeout],
  'intf.to': [{ name: 'local_addr', kind: 'address', needed: true }],
  'ip.to': [{ name: 'addr', kind: 'address', needed: true }, interval],
  'module.to': [
    { name: 'addr', kind: 'address', default: '127.0.0.1' },
    { name: 'port', kind: 'port', default: '9010' },
    onOff('secure', 'off'),
    interval,
    timeout,
  ],
  failover: [
    { name: 'period', kind: 'duration', unit: 'ms', default: '5000ms', more: true },
    { name: 'handle_time', kind: 'duration', unit: 'ms', default: '15000ms', more: true },
  ],
  lan: [{ name: 'name', kind: 'name', needed: true }],
  node: [
    { name: 'addr', kind: 'address', needed: true },
    { name: 'name', kind: 'node', needed: true },
    { name: 'laddr', kind: 'address' },
  ],
};

/** Words that a choice offers in a mode and beside other attributes (CFG-TCP, CFG-CUS). */
export function choicesOf(tag: string, field: Field, mode: Mode | null, attrs: Readonly<Record<string, string>>): readonly string[] {
  const words = field.choices ?? [];
  if (field.name === 'when' && mode !== 'mirror') return words.filter((w) => w === 'pre' || w === 'both');
  if (tag === 'custom' && field.name === 'action') {
    return words.filter((w) => w === 'noaction' || (attrs.when === 'pre') === (w === 'wait'));
  }
  if (tag === 'rule' && field.name === 'filter') {
    const fit: Record<string, string[]> = { tcp: ['on_addr', 'on_port'], arp: ['on_addr'] };
    return fit[attrs.proto ?? ''] ?? words;
  }
  return words;
}
