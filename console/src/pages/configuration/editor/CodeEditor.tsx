import { useEffect, useRef, useState } from 'preact/hooks';
import type { Fault } from '../../../api/types';
import { ErrorBox, Spinner } from '../../../ui';
import type { Editor, Language } from './codemirror';

interface Props {
  /** What is edited: with another one the editor begins anew, with an empty history. */
  name: string;
  text: string;
  language: Language;
  /** Name of the editor for screen readers. */
  label: string;
  readOnly?: boolean;
  faults?: readonly Fault[];
  /** The cursor goes to this line; another object goes there again. */
  goTo?: { line: number } | null;
  onText: (text: string) => void;
}

/** An editor of code, which is loaded when it appears first. */
export function CodeEditor(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const now = useRef(props);
  // Texts that the editor told and that have not come back yet: only another one comes from elsewhere.
  const told = useRef<string[]>([]);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<unknown>(null);
  now.current = props;

  const tell = (text: string) => {
    told.current.push(text);
    now.current.onText(text);
  };

  useEffect(() => {
    let gone = false;
    setReady(false);
    told.current = [];
    import('./codemirror').then(({ mount }) => {
      if (gone || !host.current) return;
      const { text, language, label, readOnly } = now.current;
      editor.current = mount(host.current, { text, language, label, readOnly: readOnly ?? false, onText: tell });
      setReady(true);
    }, setError);
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = null;
    };
  }, [props.name, props.language]);

  useEffect(() => {
    const known = told.current.indexOf(props.text);
    if (known >= 0) told.current.splice(0, known + 1);
    else editor.current?.setText(props.text);
  }, [props.text, ready]);
  useEffect(() => editor.current?.setFaults(props.faults ?? []), [props.faults, ready]);
  useEffect(() => {
    if (props.goTo) editor.current?.goTo(props.goTo.line);
  }, [props.goTo, ready]);

  return (
    <div class="code-editor">
      {error !== null && <ErrorBox error={error} />}
      {!ready && error === null && <Spinner />}
      <div ref={host} class="code-editor-host" />
    </div>
  );
}
