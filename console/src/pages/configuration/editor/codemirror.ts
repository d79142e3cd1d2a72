// CodeMirror 6 behind a small interface; loaded only when an editor is opened.
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { xml } from '@codemirror/lang-xml';
import { bracketMatching, HighlightStyle, indentUnit, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { shell } from '@codemirror/legacy-modes/mode/shell';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Annotation, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Fault } from '../../../api/types';

export type Language = 'xml' | 'shell' | 'text';

export interface Editor {
  /** Shows another text, which is not told back. */
  setText: (text: string) => void;
  /** Marks the lines with faults. */
  setFaults: (faults: readonly Fault[]) => void;
  /** Puts the cursor on a line, from 1. */
  goTo: (line: number) => void;
  destroy: () => void;
}

export interface EditorOptions {
  text: string;
  language: Language;
  label: string;
  readOnly: boolean;
  onText: (text: string) => void;
}

/** Where a line would leave the window with its first character. */
const NARROW = '(max-width: 640px)';

/** Marks a text that comes from elsewhere. */
const fromOutside = Annotation.define<boolean>();

const colours = HighlightStyle.define([
  { tag: [tags.tagName, tags.keyword], color: 'var(--code-keyword)' },
  { tag: [tags.attributeName, tags.variableName, tags.definition(tags.variableName)], color: 'var(--code-name)' },
  { tag: [tags.attributeValue, tags.string], color: 'var(--code-string)' },
  { tag: [tags.comment, tags.processingInstruction, tags.documentMeta], color: 'var(--code-comment)', fontStyle: 'italic' },
  { tag: [tags.number, tags.bool, tags.standard(tags.name)], color: 'var(--code-number)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', backgroundColor: 'var(--surface)', color: 'var(--text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--muted)', border: 'none', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--hover)', color: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--focus) 30%, transparent)',
  },
  '.cm-panels, .cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-diagnostic': { fontFamily: 'var(--font)', padding: '6px 10px' },
  '.cm-textfield': { backgroundColor: 'var(--surface)', border: '1px solid var(--line-strong)' },
  '.cm-button': { backgroundImage: 'none', backgroundColor: 'var(--sunken)', border: '1px solid var(--line-strong)' },
});

function languageOf(language: Language): Extension {
  if (language === 'xml') return xml();
  return language === 'shell' ? StreamLanguage.define(shell) : [];
}

function extensions(options: EditorOptions): Extension[] {
  return [
    languageOf(options.language), lineNumbers(), history(), drawSelection(), bracketMatching(), lintGutter(), highlightActiveLine(),
    highlightActiveLineGutter(), highlightSelectionMatches(), window.matchMedia(NARROW).matches ? EditorView.lineWrapping : [], syntaxHighlighting(colours), look,
    indentUnit.of(options.language === 'xml' ? '  ' : '    '),
    EditorState.readOnly.of(options.readOnly),
    // Tab leaves the editor, as everywhere in the page.
    keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]),
    EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false', tabindex: '0' }),
    EditorView.updateListener.of((update) => {
      const typed = update.docChanged && !update.transactions.some((one) => one.annotation(fromOutside));
      if (typed) options.onText(update.state.doc.toString());
    }),
  ];
}

function diagnostic(state: EditorState, fault: Fault): Diagnostic {
  const line = state.doc.line(Math.min(Math.max(fault.line ?? 1, 1), state.doc.lines));
  const named = fault.attribute ? line.text.search(new RegExp(`\\b${fault.attribute}\\s*=`)) : -1;
  const from = line.from + Math.max(named, line.text.search(/\S|$/));
  const message = fault.attribute ? `${fault.attribute}: ${fault.what}` : fault.what;
  return { from, to: line.to, severity: fault.warning ? 'warning' : 'error', message };
}

/** Makes an editor. In a shadow root: the strict content policy of the page forbids its style tag elsewhere. */
export function mount(host: HTMLElement, options: EditorOptions): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const state = EditorState.create({ doc: options.text, extensions: extensions(options) });
  const view = new EditorView({ state, root, parent: root });
  return {
    setText(text) {
      const now = view.state.doc.toString();
      if (now !== text) view.dispatch({ changes: { from: 0, to: now.length, insert: text }, annotations: fromOutside.of(true) });
    },
    setFaults(faults) {
      view.dispatch(setDiagnostics(view.state, faults.map((fault) => diagnostic(view.state, fault))));
    },
    goTo(line) {
      const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: 'center' }) });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
