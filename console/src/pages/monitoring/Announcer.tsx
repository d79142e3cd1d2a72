import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { modules } from '../../state/cluster';

/** Says changes of state to those who do not see them. */
export function Announcer() {
  const before = useRef<Map<string, string> | null>(null);
  const [text, setText] = useState('');
  useEffect(() => {
    const old = before.current;
    const now = new Map<string, string>();
    const changes: string[] = [];
    for (const { name, on } of modules.value) {
      for (const { node, module } of on) {
        const state = node.reachable ? `${module.role} ${module.readiness}` : t('monitoring.unreachable');
        const key = `${name}/${node.name}`;
        now.set(key, state);
        if (old?.has(key) && old.get(key) !== state) changes.push(t('monitoring.changed', { module: name, node: node.name, state }));
      }
    }
    before.current = now;
    if (changes.length > 0) setText(changes.join('. '));
  }, [modules.value]);
  return (
    <div class="hidden-text" role="status" aria-live="polite">
      {text}
    </div>
  );
}
