// Before and after all tests on real nodes.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { KEEP, SAFEKIT } from './sandbox';

const DIRECTORY = '/var/lib/safekit-sandbox';

/** Names the run; what an interrupted one has left goes down at its end. */
export default function setup(): void {
  const run = String(process.pid);
  process.env['SAFEKIT_RUN'] = run;
  // The directory goes with the last sandbox.
  const left = (): string[] => (existsSync(DIRECTORY) ? readdirSync(DIRECTORY).filter((name) => name.endsWith(`-${run}`)) : []);
  process.once('exit', () => {
    // A test that fails now may be followed by one more.
    for (let tries = 0; tries < 5 && !KEEP && left().length > 0; tries += 1) {
      for (const name of left()) spawnSync(SAFEKIT, ['sandbox', 'down', '--name', name]);
    }
  });
}
