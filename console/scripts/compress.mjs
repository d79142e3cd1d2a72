// Writes the .gz file beside each text file of dist, and says what a browser downloads.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const TEXT = /\.(js|css|html|svg|json|txt)$/;
const LIMIT = 400 * 1024;

const files = (dir) =>
  readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });

const dist = new URL('../dist', import.meta.url).pathname;
let total = 0;
for (const path of files(dist).filter((p) => TEXT.test(p))) {
  const packed = gzipSync(readFileSync(path), { level: 9 });
  writeFileSync(`${path}.gz`, packed);
  // The guide is no part of the console: a page of it is loaded when it is opened.
  if (!path.startsWith(join(dist, 'guide'))) total += packed.length;
}
console.log(`gzipped: ${(total / 1024).toFixed(1)} KB of ${LIMIT / 1024} KB`);
if (total > LIMIT) {
  console.error('the console is larger than its limit');
  process.exit(1);
}
writeFileSync(join(dist, '.gitkeep'), '');
