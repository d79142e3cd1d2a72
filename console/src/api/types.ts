// What the API answers, name by name as `safekit` serializes it (src/control/reply.rs).

export type RoleName = 'Admin' | 'Control' | 'Monitor';

export interface Session {
  authenticated: boolean;
  user: string | null;
  role: RoleName | null;
  csrf: string | null;
  methods: LoginMethod[];
  node: string | null;
  version: string;
  https: boolean;
  warnings: string[];
}

export type LoginMethod = 'password' | 'openid' | 'certificate' | 'none';

export type ModuleRole = 'STOP' | 'WAIT' | 'ALONE' | 'PRIM' | 'SECOND' | 'UP';
export type Readiness = 'NotReady' | 'Transient' | 'Ready';
export type ModuleMode = 'mirror' | 'farm' | 'light';

export interface Stamp {
  /** Signature, hexadecimal. */
  signature: string;
  /** Unix time in seconds. */
  date: number;
}

export interface Share {
  group: string;
  percent: number;
}

/** How far a reintegration is. */
export interface Progress {
  text: string;
  files: number;
  files_known: number;
  /** Bytes copied, bytes compared. */
  copied: number;
  compared: number;
  /** Bytes a second. */
  rate: number;
  /** Seconds that are left, if anybody can say. */
  left: number | null;
}

export interface ModuleOverview {
  module: string;
  id: number;
  mode: ModuleMode | null;
  configured: boolean;
  role: ModuleRole;
  readiness: Readiness;
  remote: string | null;
  since: string;
  reason: string | null;
  /** Of a mirror with replicated directories. */
  uptodate: boolean | null;
  /** It goes on without replication. */
  degraded: boolean;
  shares: Share[];
  progress: Progress | null;
  encrypted: boolean;
  /** The key that is saved on the node: none, the active one, or one that takes effect when it is applied. */
  saved_key: 'none' | 'active' | 'new';
  boot: string;
  active: Stamp | null;
  current: Stamp;
  commands: string[];
  starts: number;
}

export interface ClusterStamp {
  signature: string;
  date: string;
  lock: boolean;
  /** Why the node takes no part in it, if so. */
  trouble: string | null;
}

export interface Overview {
  node: string | null;
  host: string;
  safekit: string;
  /** Unix time in milliseconds. */
  time: number;
  cluster: ClusterStamp | null;
  modules: ModuleOverview[];
}

/** Data of `event: node` of /events. The node is empty while it is in no cluster. */
export interface NodeEvent {
  node: string;
  reachable: boolean;
  error: string | null;
  overview: Overview | null;
}

export interface NodeAddress {
  lan: string;
  addr: string;
}

export interface NodeRow {
  node: string;
  me: boolean;
  online: boolean;
  addresses: NodeAddress[];
  /** Address on the network of distributed commands, or empty. */
  command: string;
  /** Empty until it was heard, as the two below. */
  version: string;
  signature: string;
  date: string;
  lock: boolean;
}

/** How a command ended on one node. */
export interface Outcome {
  /** Empty when the cluster is not configured. */
  node: string;
  code: number;
  output: string[];
  errors: string[];
  /** Signature of what the node holds instead of what was expected: nothing was changed on it. */
  conflict?: string;
  /** Signature of what was saved: the files of the module with its key. */
  signature?: string;
}

/** Signatures of what nodes may hold for it to be replaced, by node; an empty one: nothing. */
export type Holding = Record<string, string[]>;

export interface Results {
  results: Outcome[];
}

export interface Fault {
  file: string;
  line: number;
  tag: string;
  attribute: string | null;
  value: string | null;
  what: string;
  warning: boolean;
}

export interface LevelReport {
  host: string;
  os: string;
  safekit: string;
  license: string;
  module: string | null;
}

export interface ResourceRow {
  resource: string;
  value: string;
  date: string | null;
  label: string;
}

export interface StateReport {
  module: string;
  mode: string;
  role: ModuleRole;
  readiness: Readiness;
  remote: string | null;
  since: string;
  reason: string | null;
  resources: ResourceRow[];
  script: string | null;
}

export interface HistoryRow {
  date: string;
  /** Unix time in microseconds. */
  micros: number;
  value: string;
}

export type LogLevel = 'C' | 'E' | 'U' | 'S' | 'W' | 'I' | 'D';

export interface LogLine {
  id: number;
  date: string;
  origin: string;
  level: LogLevel;
  text: string;
}

export interface CommandRow {
  date: string;
  kind: string;
  module: string;
  pid: number;
  event: string;
  text: string;
}

export interface ExplainReport {
  module: string;
  state: string;
  since: string;
  reasons: string[];
  advice: string[];
}

export interface PortRow {
  process: string;
  name: string;
  protocol: string;
  port: number;
}

export interface ConfInfo {
  active: Stamp | null;
  current: Stamp;
}

export interface UserLogRow {
  name: string;
  size: number;
  date: string;
}

export interface OwnerRow {
  group: string;
  virtual_addr: string;
  port: string;
  proto: string;
  filter: string;
  bucket: number | null;
  node: string | null;
  established: string | null;
  unknown: string | null;
}

export interface RescueArchive {
  name: string;
  header: { began: string; why: unknown; node: number; dirs: string[]; open: boolean };
  files: number;
  bytes: number;
  left_out: number;
  read: boolean;
}

export interface Cluster {
  configured: boolean;
  xml: string;
  signature: string;
  date: string;
  lock: boolean;
  nodes: string[];
  trouble: string | null;
}

export interface Probe {
  reachable: boolean;
  hostname: string | null;
  version: string | null;
  error: string | null;
}

export interface ClusterNodeRow {
  node: string;
  signature: string;
  date: string;
  lock: boolean;
}

export interface CheckRow {
  check: string;
  status: 'ok' | 'warning' | 'error';
  found: string;
  advice: string | null;
}

export interface TemplateRow {
  name: string;
  kind: 'main' | 'backup' | 'other';
  file: string;
  mode: ModuleMode | null;
  description: string;
}

export interface ModuleFile {
  path: string;
  text: string | null;
  base64: string | null;
  /** The node says it and takes it from nobody: what is saved below `bin` can be run, nothing else. */
  executable: boolean;
}

export interface ModuleFiles {
  signature: string;
  files: ModuleFile[];
}

export interface ConfigurationRow {
  module: string;
  name: string;
  date: string;
}

export interface CheckReport {
  faults: Fault[];
  output: string[];
}

export interface Access {
  method: string;
  users: { name: string; role: RoleName | null }[];
  problems: string[];
  /** Most days of a token that who asks makes. */
  token_days: number;
}

export interface Certificate {
  https: boolean;
  subject: string | null;
  issuer: string | null;
  names: string[];
  not_before: string | null;
  not_after: string | null;
  days_left: number | null;
  warning: string | null;
}

export interface TokenRow {
  name: string;
  role: RoleName;
  /** Unknown of old ones. */
  maker: { user: string; method: string } | null;
  /** Not while its maker is gone or has not its role any more. */
  works: boolean;
  created: string;
  expires: string;
}

/** RFC 9457 with the members of SafeKit. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  node?: string;
  output?: string[];
  faults?: Fault[];
  /** Seconds to wait, of 429. */
  retry_after?: number;
  [member: string]: unknown;
}
