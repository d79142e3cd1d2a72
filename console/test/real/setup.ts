// Before and after all tests on real nodes.

import { readdirSync } from 'node:fs';
import { Sandbox } from './sandbox';

const DIRECTORY = '/var/lib/safekit-sandbox';

/** Names the run; what an interrupted test has left of it goes down at the end. */
export default function setup(): () => Promise<void> {
  const run = String(process.pid);
  process.env['SAFEKIT_RUN'] = run;
  return async () => {
    const left = readdirSync(DIRECTORY).filter((name) => name.endsWith(`-${run}`));
    await Promise.all(left.map((name) => new Sandbox(name).down()));
  };
}
