// Makes pages of docs/*.md, so that the user's guide is on each node, without the Internet.
import { Marked, Renderer } from 'marked';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const docs = new URL('../../docs', import.meta.url).pathname;
const out = new URL('../dist/guide', import.meta.url).pathname;
const PAGES = ['web', 'security', 'configuration', 'commands', 'farm'].map((name) => `${name}.md`);
const failures = readdirSync(join(docs, 'failures')).filter((name) => name.endsWith('.md')).sort();
const all = [...PAGES, ...failures.map((name) => `failures/${name}`)];

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const slug = (text) => text.toLowerCase().replace(/<[^>]*>|&[^;]+;/g, '').replace(/[^\p{L}\p{N} _-]/gu, '').trim().replaceAll(' ', '-');
const address = (page) => page.replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html');
const title = (page) => /^# (.*)$/m.exec(readFileSync(join(docs, page), 'utf8'))[1];

/** Headings that can be linked to; links to pages that are here; no picture of the repository. */
function renderer(page) {
  return {
    heading({ tokens, depth, text }) {
      return `<h${depth} id="${slug(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
    // What is wide scrolls by itself, not the page; with the keyboard too.
    code: ({ text }) => `<pre tabindex="0"><code>${escape(text)}</code></pre>\n`,
    table(token) {
      return `<div class="table" tabindex="0">${Renderer.prototype.table.call(this, token)}</div>`;
    },
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      const [path, anchor] = href.split('#');
      if (/^\w+:/.test(href)) return text;
      if (path === '') return `<a href="#${anchor}">${text}</a>`;
      const target = normalize(join(dirname(page), path));
      return all.includes(target) ? `<a href="${address(path)}${anchor ? `#${anchor}` : ''}">${text}</a>` : text;
    },
    image: () => '',
  };
}

function pageOf(page) {
  const root = page.includes('/') ? '../' : '';
  const body = new Marked({ renderer: renderer(page) }).parse(readFileSync(join(docs, page), 'utf8'));
  return html(title(page), root, body);
}

function html(name, root, body) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(name)} · SafeKit</title><link rel="icon" href="${root}../favicon.svg"><link rel="stylesheet" href="${root}guide.css"></head>
<body><nav><a href="${root}index.html">User’s guide</a><a href="${root}failures/index.html">Failures</a></nav><main>
${body}</main></body></html>
`;
}

const list = (pages) => `<ul>\n${pages.map((p) => `<li><a href="${address(p)}">${escape(title(p))}</a></li>`).join('\n')}\n</ul>\n`;
const ordered = all.filter((page) => page !== 'failures/README.md' && page.startsWith('failures/'));
const index = `<h1>User’s guide</h1>\n${list([...PAGES, 'failures/README.md'])}<h2>What can fail, and what to do</h2>\n${list(ordered)}`;

mkdirSync(join(out, 'failures'), { recursive: true });
for (const page of all) writeFileSync(join(out, address(page)), pageOf(page));
writeFileSync(join(out, 'index.html'), html('User’s guide', '', index));
cpSync(new URL('guide.css', import.meta.url).pathname, join(out, 'guide.css'));
console.log(`guide: ${all.length + 1} pages`);
