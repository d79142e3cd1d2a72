/**
 * A small lossless reader and editor of XML. The text is the truth: a parsed tree only remembers
 * where everything stands, and every edit is a splice of the text. So comments, order, quotes and
 * blanks of what nobody edits stay as they are, byte for byte.
 */

/** One attribute. `line` counts from 1 and is that of the name, as in the faults of the server. */
export interface XAttr {
  name: string;
  value: string;
  line: number;
  /** From the first blank before the name to the end of the closing quote. */
  start: number;
  end: number;
  valueStart: number;
  valueEnd: number;
}

export interface XElement {
  kind: 'element';
  name: string;
  line: number;
  attrs: XAttr[];
  children: XNode[];
  start: number;
  end: number;
  /** Offset after the `>` of the opening tag. */
  openEnd: number;
  /** Offset of `</`; equal to `openEnd` when the element is written `<a/>`. */
  closeStart: number;
}

/** What is kept and not looked into. */
export interface XOther {
  kind: 'text' | 'comment' | 'cdata' | 'other';
  start: number;
  end: number;
}

export type XNode = XElement | XOther;

/** The text is no well-formed XML; `line` counts from 1. */
export class XmlFault extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}

const NAME = /[A-Za-z_:][\w:.-]*/y;
const BLANK = /[ \t\r\n]*/y;
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
/** Deepest nesting, as the server has it. */
const MAX_DEPTH = 32;

class Reader {
  private at = 0;
  /** An offset whose line is known: lines are asked for from the beginning to the end. */
  private mark = { offset: 0, line: 1 };

  constructor(private readonly text: string) {}

  read(): XElement {
    if (this.text.charCodeAt(0) === 0xfeff) this.at = 1;
    let root: XElement | undefined;
    while (this.at < this.text.length) {
      const node = this.node(0);
      if (node.kind === 'element') {
        if (root) this.fail('only one outermost tag is allowed', node.start);
        root = node;
      } else if ((node.kind === 'text' && this.text.slice(node.start, node.end).trim()) || node.kind === 'cdata') {
        this.fail('text outside of all tags', node.start);
      }
    }
    return root ?? this.fail('the file holds no tag', 0);
  }

  private fail(message: string, at = this.at): never {
    throw new XmlFault(message, lineOf(this.text, at));
  }

  private line(at: number): number {
    const { offset, line } = this.mark;
    this.mark = at < offset ? { offset: at, line: lineOf(this.text, at) } : { offset: at, line: line + newlines(this.text, offset, at) };
    return this.mark.line;
  }

  private node(depth: number): XNode {
    const start = this.at;
    if (this.text[start] !== '<') {
      const next = this.text.indexOf('<', start);
      this.at = next < 0 ? this.text.length : next;
      return { kind: 'text', start, end: this.at };
    }
    if (this.text.startsWith('<!--', start)) return this.until('comment', '-->');
    if (this.text.startsWith('<![CDATA[', start)) return this.until('cdata', ']]>');
    if (this.text.startsWith('<?', start)) return this.until('other', '?>');
    if (this.text.startsWith('<!', start)) return this.until('other', '>');
    return this.element(depth);
  }

  private until(kind: XOther['kind'], closing: string): XOther {
    const start = this.at;
    const end = this.text.indexOf(closing, start + 2);
    if (end < 0) this.fail(`"${closing}" is missing`, start);
    this.at = end + closing.length;
    return { kind, start, end: this.at };
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private element(depth: number): XElement {
    if (depth >= MAX_DEPTH) this.fail('too many tags inside each other');
    const start = this.at;
    this.at += 1;
    const name = this.take(NAME) || this.fail('the name of a tag is missing after "<"', start);
    const line = this.line(start);
    const attrs = this.attributes(name);
    const element: XElement = {
      kind: 'element', name, line, attrs, children: [], start, end: 0, openEnd: 0, closeStart: 0,
    };
    if (this.text.startsWith('/>', this.at)) {
      this.at += 2;
      element.end = element.openEnd = element.closeStart = this.at;
      return element;
    }
    this.at += 1;
    element.openEnd = this.at;
    while (!this.text.startsWith('</', this.at)) {
      if (this.at >= this.text.length) this.fail(`<${name}> is not closed`, start);
      element.children.push(this.node(depth + 1));
    }
    element.closeStart = this.at;
    this.at += 2;
    const closing = this.take(NAME);
    if (closing !== name) this.fail(`</${closing}> closes <${name}>`, element.closeStart);
    this.take(BLANK);
    if (this.text[this.at] !== '>') this.fail(`">" is missing after </${name}`);
    this.at += 1;
    element.end = this.at;
    return element;
  }

  /** Up to the `>` or `/>`, which is not taken. */
  private attributes(tag: string): XAttr[] {
    const attrs: XAttr[] = [];
    for (;;) {
      const start = this.at;
      const blank = this.take(BLANK);
      if (this.text[this.at] === '>' || this.text.startsWith('/>', this.at)) {
        return attrs;
      }
      const nameAt = this.at;
      const name = this.take(NAME);
      if (!name || !blank) this.fail(`<${tag}> is not closed`, nameAt);
      this.take(BLANK);
      if (this.text[this.at] !== '=') this.fail(`= is missing after ${name}`, nameAt);
      this.at += 1;
      this.take(BLANK);
      const quote = this.text[this.at] ?? '';
      if (quote !== '"' && quote !== "'") this.fail(`the value of ${name} needs quotes`, nameAt);
      const valueStart = this.at + 1;
      const valueEnd = this.text.indexOf(quote, valueStart);
      if (valueEnd < 0) this.fail(`the value of ${name} is not closed`, nameAt);
      const raw = this.text.slice(valueStart, valueEnd);
      if (raw.includes('<')) this.fail(`"<" in the value of ${name}: write &lt;`, nameAt);
      if (attrs.some((attr) => attr.name === name)) this.fail(`<${tag}> ${name}: attribute given twice`, nameAt);
      this.at = valueEnd + 1;
      const line = this.line(nameAt);
      attrs.push({ name, value: this.decode(raw, nameAt), line, start, end: this.at, valueStart, valueEnd });
    }
  }

  private decode(raw: string, at: number): string {
    return raw.replace(/[\t\r\n]/g, ' ').replace(/&([^;]*);?/g, (whole, name: string) => {
      const number = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
      const point = number ? parseInt(number[1] ?? number[2]!, number[1] ? 16 : 10) : NaN;
      if (whole.endsWith(';') && point <= 0x10ffff) return String.fromCodePoint(point);
      const known = whole.endsWith(';') ? ENTITIES[name] : undefined;
      return known ?? this.fail(`unknown entity "${whole.slice(0, 20)}": write &amp; for &`, at);
    });
  }
}

/** Line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return 1 + newlines(text, 0, offset);
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

/** The outermost element. Throws `XmlFault`. */
export function parse(text: string): XElement {
  return new Reader(text).read();
}

/** Child elements, all or those of one name. */
export function elements(parent: XElement, name?: string): XElement[] {
  return parent.children.filter((node): node is XElement => node.kind === 'element' && (!name || node.name === name));
}

/** The first child element of that name. */
export function child(parent: XElement, name: string): XElement | undefined {
  return elements(parent, name)[0];
}

/** Value of an attribute. */
export function attr(element: XElement, name: string): string | undefined {
  return element.attrs.find((a) => a.name === name)?.value;
}

function splice(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** As the value of an attribute between double quotes. */
export function escape(value: string, quote = '"'): string {
  const quoted = quote === '"' ? value.replace(/&/g, '&amp;').replace(/"/g, '&quot;') : value.replace(/&/g, '&amp;').replace(/'/g, '&apos;');
  return quoted.replace(/</g, '&lt;').replace(/\n/g, '&#10;');
}

/** Writes, adds (behind the others) or, with `null`, removes an attribute. */
export function withAttr(text: string, element: XElement, name: string, value: string | null): string {
  const found = element.attrs.find((a) => a.name === name);
  if (!found) {
    const last = element.attrs[element.attrs.length - 1];
    const at = last ? last.end : element.start + 1 + element.name.length;
    return value === null ? text : splice(text, at, at, ` ${name}="${escape(value)}"`);
  }
  if (value === null) return splice(text, found.start, found.end, '');
  return found.value === value
    ? text
    : splice(text, found.valueStart, found.valueEnd, escape(value, text[found.valueEnd]));
}

/** Gives an element another name. */
export function withName(text: string, element: XElement, name: string): string {
  const closed = element.closeStart > element.openEnd || element.end > element.openEnd;
  const renamed = closed ? splice(text, element.closeStart + 2, element.closeStart + 2 + element.name.length, name) : text;
  return splice(renamed, element.start + 1, element.start + 1 + element.name.length, name);
}

/** Blanks between the beginning of the line and an offset; none if something else stands there. */
function indentAt(text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  return line.trim() ? '' : line;
}

function indented(snippet: string, indent: string): string {
  return snippet.split('\n').join(`\n${indent}`);
}

/** A comment behind a tag on the same line belongs to that tag. */
function withComment(text: string, parent: XElement, node: XNode): XNode {
  let last = node;
  for (const next of parent.children.slice(parent.children.indexOf(node) + 1)) {
    if (text.slice(node.end, next.start).includes('\n')) break;
    if (next.kind === 'comment') last = next;
    else if (next.kind !== 'text') break;
  }
  return last;
}

/**
 * Adds a child, on a line of its own, behind the sibling `after`; without it behind all. `snippet` is
 * one element, indented by two blanks for each level inside it.
 */
export function withChild(text: string, parent: XElement, snippet: string, after?: XNode): string {
  const outer = indentAt(text, parent.start);
  const first = elements(parent)[0];
  const indent = (first && indentAt(text, first.start)) || `${outer}  `;
  const added = `\n${indent}${indented(snippet, indent)}`;
  if (parent.end === parent.openEnd) {
    const slash = text.lastIndexOf('/', parent.end);
    const open = text.slice(parent.start, slash).trimEnd();
    return splice(text, parent.start, parent.end, `${open}>${added}\n${outer}</${parent.name}>`);
  }
  const last = after ?? elements(parent).at(-1);
  if (last) {
    const at = withComment(text, parent, last).end;
    const rest = text.slice(at, text.indexOf('\n', at) < 0 ? undefined : text.indexOf('\n', at));
    return splice(text, at, at, rest.trim() ? `${added}\n${outer}` : added);
  }
  const content = text.slice(parent.openEnd, parent.closeStart);
  const end = parent.openEnd + content.trimEnd().length;
  const closing = content.includes('\n') ? '' : `\n${outer}`;
  return splice(text, end, end, added + closing);
}

/** Removes an element, with its line if nothing else stands there. */
export function without(text: string, element: XElement): string {
  const lineStart = text.lastIndexOf('\n', element.start - 1) + 1;
  const newline = text.indexOf('\n', element.end);
  const lineEnd = newline < 0 ? text.length : newline + 1;
  const alone = !text.slice(lineStart, element.start).trim() && !text.slice(element.end, lineEnd).trim();
  if (!alone) return splice(text, element.start, element.end, '');
  const before = text.slice(0, lineStart);
  const after = text.slice(lineEnd);
  // Of the blank lines around it one is enough.
  const blank = /\n[ \t]*\n$/.test(before) && /^[ \t]*\n/.test(after);
  return before + (blank ? after.replace(/^[ \t]*\n/, '') : after);
}
