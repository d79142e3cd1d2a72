/** Reads a `.safe`, which is a zip of the files of a module, in the browser. */
import type { ModuleFile } from '../api/types';
import { USERCONFIG } from './files';

export type ArchiveFault = 'archive.notZip' | 'archive.damaged' | 'archive.unsupported' | 'archive.path' | 'archive.tooLarge' | 'archive.noConfig';

/** Why an archive is refused; `path`: which file of it, if one. */
export class BadArchive extends Error {
  constructor(
    readonly key: ArchiveFault,
    readonly path = '',
  ) {
    super(`${key} ${path}`);
  }
}

/** Limits of the server for what is edited. */
const MOST_FILES = 10_000;
const LARGEST = 64 << 20;
const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const END_SIZE = 22;
/** Keys stay on the nodes: those of an archive are not taken. */
const KEY = /^conf\/modulekey\./;

interface Entry {
  path: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
  executable: boolean;
}

/** The files of an archive. Rejects with `BadArchive`. */
export async function readArchive(bytes: Uint8Array): Promise<ModuleFile[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = directory(view, bytes).filter((entry) => !entry.path.endsWith('/') && !KEY.test(entry.path));
  if (entries.length > MOST_FILES || entries.reduce((sum, entry) => sum + entry.size, 0) > LARGEST) throw new BadArchive('archive.tooLarge');
  const files: ModuleFile[] = [];
  for (const entry of entries) files.push(fileOf(entry, await contentOf(entry, view, bytes)));
  if (!files.some((file) => file.path === USERCONFIG)) throw new BadArchive('archive.noConfig');
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function directory(view: DataView, bytes: Uint8Array): Entry[] {
  let end = view.byteLength - END_SIZE;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new BadArchive('archive.notZip');
  const count = view.getUint16(end + 10, true);
  const entries: Entry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i += 1) {
    if (at + 46 > end || view.getUint32(at, true) !== ENTRY) throw new BadArchive('archive.damaged');
    entries.push(entryAt(view, bytes, at));
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function entryAt(view: DataView, bytes: Uint8Array, at: number): Entry {
  const name = bytes.subarray(at + 46, at + 46 + view.getUint16(at + 28, true));
  const path = new TextDecoder().decode(name).replace(/^\.\//, '');
  const parts = path.replace(/\/$/, '').split('/');
  if (path.includes('\\') || parts.some((part) => part === '' || part === '.' || part === '..')) throw new BadArchive('archive.path', path);
  const encrypted = (view.getUint16(at + 8, true) & 1) === 1;
  const method = view.getUint16(at + 10, true);
  const [packed, size, offset] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true), view.getUint32(at + 42, true)];
  const large = [packed, size, offset].includes(0xffffffff);
  if (encrypted || large || (method !== 0 && method !== 8)) throw new BadArchive('archive.unsupported', path);
  // As a node makes them, whatever the archive says.
  const executable = path.startsWith('bin/');
  return { path, method, crc: view.getUint32(at + 16, true), packed, size, offset, executable };
}

async function contentOf(entry: Entry, view: DataView, bytes: Uint8Array): Promise<Uint8Array> {
  const { offset, packed, size, path } = entry;
  if (offset + 30 > view.byteLength || view.getUint32(offset, true) !== LOCAL) throw new BadArchive('archive.damaged', path);
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  const content = bytes.slice(start, start + packed);
  if (content.length !== packed) throw new BadArchive('archive.damaged', path);
  const plain = entry.method === 0 ? content : await inflate(content, size, path);
  if (plain.length !== size || crc32(plain) !== entry.crc) throw new BadArchive('archive.damaged', path);
  return plain;
}

/** Checksum of the zip format. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Never more than `size` bytes, whatever the archive unpacks to. */
async function inflate(content: Uint8Array<ArrayBuffer>, size: number, path: string): Promise<Uint8Array> {
  const plain = new Uint8Array(size);
  let at = 0;
  try {
    const reader = new Blob([content]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return plain.subarray(0, at);
      if (at + value.length > size) throw new BadArchive('archive.damaged', path);
      plain.set(value, at);
      at += value.length;
    }
  } catch {
    throw new BadArchive('archive.damaged', path);
  }
}

function fileOf({ path, executable }: Entry, content: Uint8Array): ModuleFile {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
    if (!text.includes('\0')) return { path, text, base64: null, executable };
  } catch {
    // Not text.
  }
  const binary = Array.from(content, (byte) => String.fromCharCode(byte)).join('');
  return { path, text: null, base64: btoa(binary), executable };
}
