// A mirror module that is there without the wizard: quick to fail over.

import type { Sandbox } from './sandbox';

export interface Mirror {
  /** Seconds of silence after which a node is lost. */
  timeout?: number;
  /** What stands beside `<user>`. */
  more?: string;
}

/** Its userconfig.xml. */
export function mirror({ timeout = 2, more = '' }: Mirror = {}): string {
  return `<?xml version="1.0"?>
<!DOCTYPE safe>
<safe>
  <service mode="mirror" boot="off">
    <heart pulse="200ms" timeout="${timeout}s">
      <heartbeat name="default"/>
    </heart>
    <user/>
    ${more}
  </service>
</safe>
`;
}

const dir = (module: string): string => `$SAFE/modules/${module}`;

/** Installs it on node1 from the template and applies it on both nodes. */
export async function install(sandbox: Sandbox, module: string, xml = mirror(), scripts: Record<string, string> = {}): Promise<void> {
  await sandbox.sh('node1', `safekit module install -m ${module} "$SAFE/Application_Modules/generic/mirror.safe"`);
  for (const [name, text] of Object.entries(scripts)) {
    await sandbox.sh('node1', `cat >"${dir(module)}/bin/${name}" && chmod +x "${dir(module)}/bin/${name}"`, `#!/bin/sh\n${text}\n`);
  }
  await configure(sandbox, module, xml);
  await sandbox.safekit('node1', '-H', 'node1,node2', '-E', module);
}

/** Applies another userconfig.xml on node1. */
export async function configure(sandbox: Sandbox, module: string, xml: string): Promise<void> {
  await sandbox.sh('node1', `cat >"${dir(module)}/conf/userconfig.xml"`, xml);
  await sandbox.safekit('node1', 'config', '-m', module);
}

/** A file of the module as it is on the disk of a node. */
export function file(sandbox: Sandbox, node: string, module: string, path: string): Promise<string> {
  return sandbox.sh(node, `cat "${dir(module)}/${path}"`);
}

/** Signatures of what runs and of what is saved, by the command line. */
export async function signatures(sandbox: Sandbox, node: string, module: string): Promise<{ active: string; current: string }> {
  const shown = await sandbox.safekit(node, 'confinfo', '-m', module);
  const of = (name: string): string => new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(shown)?.[1] ?? '';
  return { active: of('active'), current: of('current') };
}
