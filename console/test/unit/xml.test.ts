import { describe, expect, it } from 'vitest';
import * as xml from '../../src/config/xml';

const TEXT = `<?xml version="1.0"?>
<!DOCTYPE safe>
<!-- top <not a="tag"> -->
<a one = '1' two="&lt;&#65;&quot;"
   three="3">
  <b/> <!-- of b -->
  <c x='y'></c>

  <d><![CDATA[ <z> & ]]></d>
</a>
`;

describe('reading', () => {
  it('knows values, lines and kinds', () => {
    const root = xml.parse(TEXT);
    expect(root.attrs.map((a) => [a.name, a.value, a.line])).toEqual([
      ['one', '1', 4],
      ['two', '<A"', 4],
      ['three', '3', 5],
    ]);
    expect(xml.elements(root).map((e) => [e.name, e.line])).toEqual([['b', 6], ['c', 7], ['d', 9]]);
    expect(root.children.filter((n) => n.kind === 'comment')).toHaveLength(1);
  });

  it.each([
    ['', 'holds no tag', 1],
    ['<a>\n<b></a>', '</a> closes <b>', 2],
    ['<a>\n', '<a> is not closed', 1],
    ['<a\n b="1', 'the value of b is not closed', 2],
    ['<a b=1/>', 'needs quotes', 1],
    ['<a b="<"/>', 'write &lt;', 1],
    ['<a b="1" b="2"/>', 'given twice', 1],
    ['<a b="&nope;"/>', 'unknown entity', 1],
    ['<a b="a&b"/>', 'unknown entity', 1],
    ['<a/><b/>', 'only one outermost tag', 1],
    ['<a/>\ntext', 'text outside', 1],
    ['<a><!-- </a>', '"-->" is missing', 1],
    ['<a'.repeat(3), 'is not closed', 1],
    ['<a>'.repeat(99), 'too many tags', 1],
  ])('refuses %j', (text, what, line) => {
    expect(() => xml.parse(text)).toThrow(what);
    try {
      xml.parse(text);
    } catch (fault) {
      expect((fault as xml.XmlFault).line).toBe(line);
    }
  });
});

it('reads the largest file at once', () => {
  const many = `<a>\n${'  <b c="1"/>\n'.repeat(80_000)}</a>`;
  const began = performance.now();
  const last = xml.elements(xml.parse(many)).at(-1)!;
  expect([last.line, last.attrs[0]!.line]).toEqual([80_001, 80_001]);
  expect(performance.now() - began).toBeLessThan(5_000);
});

describe('attributes', () => {
  const root = () => xml.parse(TEXT);

  it('are replaced between their own quotes', () => {
    expect(xml.withAttr(TEXT, root(), 'one', `it's "2" & <3>`)).toBe(
      TEXT.replace(`'1'`, `'it&apos;s "2" &amp; &lt;3>'`),
    );
    expect(xml.withAttr(TEXT, root(), 'three', `"4"`)).toBe(TEXT.replace('"3"', '"&quot;4&quot;"'));
  });

  it('stay as written when the value is the same', () => {
    expect(xml.withAttr(TEXT, root(), 'two', '<A"')).toBe(TEXT);
  });

  it('are added behind the others and removed with their blanks', () => {
    expect(xml.withAttr(TEXT, root(), 'four', '4')).toBe(TEXT.replace('three="3"', 'three="3" four="4"'));
    expect(xml.withAttr(TEXT, root(), 'three', null)).toBe(TEXT.replace('\n   three="3"', ''));
    expect(xml.withAttr(TEXT, root(), 'four', null)).toBe(TEXT);
    expect(xml.withAttr('<a/>', xml.parse('<a/>'), 'b', '1')).toBe('<a b="1"/>');
  });
});

describe('children', () => {
  const add = (text: string, snippet: string) => xml.withChild(text, xml.parse(text), snippet);

  it('are added on a line of their own', () => {
    expect(add('<a/>', '<b/>')).toBe('<a>\n  <b/>\n</a>');
    expect(add('<a x="/>" />', '<b/>')).toBe('<a x="/>">\n  <b/>\n</a>');
    expect(add('<a></a>', '<b/>')).toBe('<a>\n  <b/>\n</a>');
    expect(add('<a><b/></a>', '<c/>')).toBe('<a><b/>\n  <c/>\n</a>');
    expect(add('<a>\n\t<b/>\n</a>\n', '<c>\n  <d/>\n</c>')).toBe('<a>\n\t<b/>\n\t<c>\n\t  <d/>\n\t</c>\n</a>\n');
    expect(add('<a>\n  <!-- nothing yet -->\n</a>', '<b/>')).toBe('<a>\n  <!-- nothing yet -->\n  <b/>\n</a>');
  });

  it('come behind the comment of the tag before them', () => {
    const root = xml.parse(TEXT);
    expect(xml.withChild(TEXT, root, '<n/>', xml.child(root, 'b'))).toBe(
      TEXT.replace('<!-- of b -->', '<!-- of b -->\n  <n/>'),
    );
  });

  it('go with their line, and one of two blank lines', () => {
    const root = xml.parse(TEXT);
    expect(xml.without(TEXT, xml.child(root, 'c')!)).toBe(TEXT.replace("  <c x='y'></c>\n", ''));
    expect(xml.without(TEXT, xml.child(root, 'b')!)).toBe(TEXT.replace('<b/>', ''));
    expect(xml.without('<a>\n\n  <b/>\n\n  <c/>\n</a>', xml.elements(xml.parse('<a>\n\n  <b/>\n\n  <c/>\n</a>'))[0]!)).toBe(
      '<a>\n\n  <c/>\n</a>',
    );
  });

  it('can be renamed', () => {
    const rename = (text: string) => xml.withName(text, xml.parse(text), 'long');
    expect(rename('<a b="1"/>')).toBe('<long b="1"/>');
    expect(rename('<a b="1"></a >')).toBe('<long b="1"></long >');
  });
});
