import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readArchive } from '../../src/config/zip';
import { moduleFor } from '../mock/archive';
import { delivered } from '../mock/state';

interface Given {
  path: string;
  content: Buffer | string;
  mode?: number;
  deflate?: boolean;
  flags?: number;
}

/** A zip as tools on Unix write it. */
function zip(files: Given[]): Uint8Array {
  const [parts, entries]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const { path, content, mode = 0o644, deflate = false, flags = 0 } of files) {
    const [name, plain] = [Buffer.from(path), Buffer.from(content)];
    const data = deflate ? deflateRawSync(plain) : plain;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(deflate ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(plain), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(plain.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, name, data]);
    entries.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), fields, tail, name]));
    parts.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(offset, 12);
  return new Uint8Array(Buffer.concat([...parts, list, Buffer.from('PK\x05\x06'), end, Buffer.from('')]));
}

const config: Given = { path: 'conf/userconfig.xml', content: '<safe/>' };

describe('a .safe', () => {
  it('gives back the files that were packed', async () => {
    expect(await readArchive(new Uint8Array(moduleFor(delivered('mirror'))))).toEqual(delivered('mirror'));
  });

  it('may be compressed, and holds text or not; what is below bin can be run, whatever its mode', async () => {
    const files = await readArchive(zip([
      { path: 'bin/', content: '' },
      { path: 'bin/start_prim', content: 'echo é\n'.repeat(2000), mode: 0o755, deflate: true },
      { path: 'bin/lib', content: 'x', mode: 0o644 },
      { path: 'web/logo', content: Buffer.from([0, 255, 1]) },
      { path: 'conf/modulekey.p12', content: 'secret' },
      { path: 'conf/list', content: 'y', mode: 0o755 },
      config,
    ]));
    expect(files).toEqual([
      { path: 'bin/lib', text: 'x', base64: null, executable: true },
      { path: 'bin/start_prim', text: 'echo é\n'.repeat(2000), base64: null, executable: true },
      { path: 'conf/list', text: 'y', base64: null, executable: false },
      { path: 'conf/userconfig.xml', text: '<safe/>', base64: null, executable: false },
      { path: 'web/logo', text: null, base64: 'AP8B', executable: false },
    ]);
  });

  it.each([
    ['no zip', Buffer.from('hello'), 'archive.notZip'],
    ['an empty file', Buffer.alloc(0), 'archive.notZip'],
    ['a zip without a module', zip([{ path: 'readme', content: 'x' }]), 'archive.noConfig'],
    ['a way out', zip([config, { path: 'bin/../../etc/passwd', content: 'x' }]), 'archive.path'],
    ['an absolute path', zip([config, { path: '/etc/passwd', content: 'x' }]), 'archive.path'],
    ['a password', zip([{ ...config, flags: 1 }]), 'archive.unsupported'],
  ])('is refused: %s', async (_what, bytes, key) => {
    await expect(readArchive(new Uint8Array(bytes))).rejects.toMatchObject({ key });
  });

  it('is refused when it is damaged, wherever', async () => {
    const good = zip([{ ...config, content: '<safe/>'.repeat(500), deflate: true }]);
    const kinds = new Set<string>();
    for (let cut = 1; cut < good.length; cut += 7) {
      await readArchive(good.slice(0, good.length - cut)).then(() => kinds.add('read'), (fault: { key: string }) => kinds.add(fault.key));
    }
    expect([...kinds]).toEqual(['archive.notZip']);
    // The data, its size and its place are wrong.
    const at = Buffer.from(good).indexOf('PK\x01\x02');
    for (const [offset, value] of [[52, 0x55], [at + 20, 1], [at + 24, 1], [at + 42, 9]] as const) {
      const bad = good.slice();
      bad[offset] = value;
      await expect(readArchive(bad)).rejects.toMatchObject({ key: 'archive.damaged' });
    }
  });
});
