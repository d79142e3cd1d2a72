/**
 * What the forms of cluster.xml and userconfig.xml work on: an `Item` is one tag with its attributes
 * and its place, and each change makes a new text out of the old one.
 */
import * as xml from './xml';

/** Place of a tag: at each level the number, from 0, of the child tag; the outermost tag is `[]`. */
export type Place = readonly number[];

export interface Item {
  tag: string;
  at: Place;
  /** First line of the tag, from 1. */
  line: number;
  attrs: Readonly<Record<string, string>>;
  /** Lines of the attributes: the faults of the server name them. */
  lines: Readonly<Record<string, number>>;
}

export function item(element: xml.XElement, at: Place): Item {
  const attrs: Record<string, string> = {};
  const lines: Record<string, number> = {};
  for (const a of element.attrs) {
    attrs[a.name] = a.value;
    lines[a.name] = a.line;
  }
  return { tag: element.name, at, line: element.line, attrs, lines };
}

/** The tags of that name inside an element which stands at `at`, with their elements. */
export function itemsIn(parent: xml.XElement, at: Place, name?: string): { element: xml.XElement; item: Item }[] {
  return xml
    .elements(parent)
    .map((element, i) => ({ element, item: item(element, [...at, i]) }))
    .filter(({ element }) => !name || element.name === name);
}

/** The tag at a place. Throws if there is none: places are of the text that they were read from. */
export function elementAt(root: xml.XElement, at: Place): xml.XElement {
  let element = root;
  for (const i of at) {
    const next = xml.elements(element)[i];
    if (!next) throw new Error(`no tag at ${at.join('/')}`);
    element = next;
  }
  return element;
}

/** Sets an attribute; `null` removes it, so that its default holds. */
export function setAttr(text: string, at: Place, name: string, value: string | null): string {
  return xml.withAttr(text, elementAt(xml.parse(text), at), name, value);
}

/** Removes a tag with all that it holds. */
export function removeItem(text: string, at: Place): string {
  return xml.without(text, elementAt(xml.parse(text), at));
}

/** Adds a tag behind the others of its parent. */
export function addItem(text: string, parent: Place, snippet: string): string {
  return xml.withChild(text, elementAt(xml.parse(text), parent), snippet);
}

/** A tag with attributes, those without value left out. */
export function snippet(name: string, attrs: Record<string, string | null | undefined>): string {
  const written = Object.entries(attrs)
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .map(([key, value]) => ` ${key}="${xml.escape(value)}"`);
  return `<${name}${written.join('')}/>`;
}

/** A tag around others. */
export function around(name: string, attrs: Record<string, string | null | undefined>, inner: string[]): string {
  const open = snippet(name, attrs).replace(/\/>$/, '>');
  const lines = inner.map((one) => `  ${one.split('\n').join('\n  ')}`);
  return [open, ...lines, `</${name}>`].join('\n');
}
