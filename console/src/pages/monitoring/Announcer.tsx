import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { modules } from '../../state/cluster';

/** Says changes of state to those who do not see them. */
export function Announcer() {
  const before = useRef<Map<string, string> | null>(null);
  const [text, setText] = useState('');
  const now = new Map<string, string>();
  for (const { name, on } of modules.value) {
    for (const { node, module } of on) {
      const state = node.reachable ? `${module.role} ${module.readiness}` : t('monitoring.unreachable');
      now.set(`${name}/${node.name}`, t('monitoring.changed', { module: name, node: node.name, state }));
    }
  }
  useEffect(() => {
    const old = before.current;
    before.current = now;
    const changes = old ? [...now].filter(([key, said]) => old.has(key) && old.get(key) !== said) : [];
    if (changes.length > 0) setText(changes.map(([, said]) => said).join('. '));
  });
  return (
    <div class="hidden-text" role="status" aria-live="polite">
      {text}
    </div>
  );
}
