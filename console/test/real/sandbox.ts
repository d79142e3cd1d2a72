// Real nodes: sandboxes of two (root; after cargo build and npm run build). SAFEKIT names another program;
// with KEEP=yes sandboxes stay up, to look around in them.

import { spawn } from 'node:child_process';

export const SAFEKIT = process.env['SAFEKIT'] ?? new URL('../../../target/debug/safekit', import.meta.url).pathname;
export const KEEP = process.env['KEEP'] === 'yes';
/** Ends the names of the sandboxes of one run. */
const RUN = process.env['SAFEKIT_RUN'] ?? String(process.pid);
export const PASSWORD = 'newcomer-1';

/** What takes real time comes within this one: commands run scripts, nodes boot and find each other. */
export const PATIENCE = { timeout: 60_000 };

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

export class Sandbox {
  private urls: Record<string, string> = {};

  private constructor(readonly name: string) {}

  /** Brings up node1 and node2, each with a private /data. They are in a cluster, unless `bare`. */
  static async up(what: string, options: { bare?: boolean } = {}): Promise<Sandbox> {
    const sandbox = new Sandbox(`${what}-${RUN}`);
    const args = ['sandbox', 'up', '--name', sandbox.name, '--private', '/data', '--password', PASSWORD];
    const { code, stdout, stderr } = await run(args);
    if (code !== 0) throw new Error(`${SAFEKIT} ${args.join(' ')} (root? built?): ${stderr}`);
    for (const [, node, url] of stdout.matchAll(/^console of (\S+): (\S+?)\/*$/gm)) sandbox.urls[node!] = url!;
    for (const node of ['node1', 'node2']) {
      await sandbox.sh(node, 'mkdir -p /data/replicated');
      if (options.bare) await sandbox.safekit(node, 'cluster', 'deconfig');
    }
    return sandbox;
  }

  /** Where a browser finds the console of a node. */
  url(node: string): string {
    return this.urls[node]!;
  }

  exec(node: string, argv: string[], input = ''): Promise<Output> {
    return run(['sandbox', 'exec', '--name', this.name, node, '--', ...argv], input);
  }

  /** `safekit ARGUMENTS` on a node, which must succeed; what it prints. */
  safekit(node: string, ...args: string[]): Promise<string> {
    return this.good(node, ['safekit', ...args]);
  }

  /** A shell script on a node, which must succeed; what it prints. */
  sh(node: string, script: string, input = ''): Promise<string> {
    return this.good(node, ['sh', '-c', script], input);
  }

  private async good(node: string, argv: string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.exec(node, argv, input);
    if (code !== 0) throw new Error(`${argv.join(' ')} on ${node}: ${code} ${stderr}${stdout}`);
    return stdout;
  }

  /** The texts of the module's log, oldest first. */
  async log(module: string, node: string, lang = 'en'): Promise<string> {
    return this.safekit(node, 'log', '-m', module, '-l', lang);
  }

  /** Everything of the node dies at once; its disk stays. */
  async poweroff(node: string): Promise<void> {
    await this.order('poweroff', node);
  }

  async poweron(node: string): Promise<void> {
    await this.order('poweron', node);
  }

  private async order(order: string, node: string): Promise<void> {
    const { code, stderr } = await run(['sandbox', order, '--name', this.name, node]);
    if (code !== 0) throw new Error(`${order} ${node}: ${stderr}`);
  }

  async down(): Promise<void> {
    if (KEEP) console.log(`sandbox ${this.name} stays up (admin, ${PASSWORD}):`, this.urls);
    else await run(['sandbox', 'down', '--name', this.name]);
  }
}

function run(args: string[], input = ''): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(SAFEKIT, args);
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, ...output }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
