// Writes the licenses of the packages that are inside the console (WEB-12).
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Packages that those of the console need, each once. */
function collect(names, found = new Map()) {
  for (const name of names) {
    const dir = join(root, 'node_modules', name);
    if (found.has(name) || !existsSync(dir)) continue;
    const own = read(join(dir, 'package.json'));
    found.set(name, { dir, own });
    collect(Object.keys(own.dependencies ?? {}), found);
  }
  return found;
}

function licenseOf(dir) {
  const file = readdirSync(dir).find((name) => /^licen[cs]e/i.test(name));
  return file ? readFileSync(join(dir, file), 'utf8').trim() : '(its package holds no text of the license)';
}

const packages = collect(Object.keys(read(join(root, 'package.json')).dependencies));
const parts = [...packages].sort(([a], [b]) => a.localeCompare(b)).map(([name, { dir, own }]) => {
  return `${name} ${own.version}\nLicense: ${own.license}\n\n${licenseOf(dir)}\n`;
});
const text = `Packages in the SafeKit web console, and their licenses\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
for (const place of ['', 'en', 'fr']) {
  mkdirSync(join(root, 'dist', place), { recursive: true });
  writeFileSync(join(root, 'dist', place, '3rdpartylicenses.txt'), text);
}
console.log(`licenses: ${packages.size} packages`);
