import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Mode } from '../../../config/module';
import { t, tn } from '../../../i18n';
import { href } from '../../../router';
import { here } from '../../../state/cluster';
import { Badge, Button, Card, Icon, Notice } from '../../../ui';
import { draft, unsaved } from './draft';
import { encryption, keyChange } from './EncryptionStep';
import type { Plan } from './apply';
import type { Doing, StepId } from './ModuleWizard';
import { MIRROR_NODES, proposed, targets, type Target } from './nodes';

/** Step 4: on which nodes the configuration is applied. */
export function ApplyStep({ module, mode, errors, show, act, foot }: {
  module: string;
  mode: Mode | null;
  errors: number;
  show: (step: StepId) => void;
  act: (what: Doing, plan: Plan) => void;
  foot: ComponentChildren;
}) {
  const all = targets(module);
  const [chosen, setChosen] = useState<string[]>(() => proposed(all, mode));
  const mine = here.value ?? '';
  const keys = encryption(module, mine);
  const { key } = keys;
  const nodes = all.filter((target) => target.mandatory || chosen.includes(target.node)).map((target) => target.node);
  const blocked = all.filter((target) => nodes.includes(target.node) && target.why !== null);
  const tooMany = mode === 'mirror' && nodes.length > MIRROR_NODES;
  const plan: Plan = { module, here: mine, nodes, key };
  const toggle = (node: string) => setChosen((now) => (now.includes(node) ? now.filter((other) => other !== node) : [...now, node]));
  return (
    <>
      <div class="stack">
        {errors > 0 && (
          <Notice tone="warning" title={tn('apply.errors', errors)} actions={<Button size="small" onClick={() => show('edit')}>{t('apply.toEdit')}</Button>}>
            {t('apply.errors.text')}
          </Notice>
        )}
        <Changes wish={key} applied={keyChange(keys)} />
        <Card icon="server" title={t('apply.nodes')} flush>
          <p class="card-note">{t(mode === 'mirror' ? 'apply.nodes.mirror' : 'apply.nodes.text')}</p>
          <ul class="target-list">
            {all.map((target) => (
              <TargetLine key={target.node} target={target} chosen={nodes.includes(target.node)} onToggle={() => toggle(target.node)} />
            ))}
          </ul>
        </Card>
        {tooMany && <Notice tone="warning">{t('apply.tooMany')}</Notice>}
        {blocked.length > 0 && (
          <Notice tone="info" title={t('apply.blocked', { nodes: blocked.map((target) => target.node).join(', ') })}>{t('apply.blocked.text')}</Notice>
        )}
      </div>
      <footer class="wizard-foot">
        {foot}
        <Button icon="search" onClick={() => act('check', plan)}>{t('apply.check')}</Button>
        <Button variant="primary" icon="check" disabled={blocked.length > 0 || tooMany} onClick={() => act('apply', plan)}>{t('apply.apply')}</Button>
      </footer>
    </>
  );
}

/** What is going to be saved. */
function Changes({ wish, applied }: { wish: boolean | null; applied: ReturnType<typeof keyChange> }) {
  const paths = unsaved.value;
  return (
    <Card icon="file" title={t('apply.changes')}>
      {paths.length === 0 && wish === null && applied === null && <p class="muted">{t('apply.noChanges')}</p>}
      <ul class="words">
        {paths.map((path) => (
          <li key={path} class="word">
            <code>{path}</code>
            <small>{draft.value?.files.some((file) => file.path === path) ? '' : t('apply.removed')}</small>
          </li>
        ))}
        {wish !== null && <li class="word"><Icon name="key" size={14} /> {t(wish ? 'encryption.willMake' : 'encryption.willRemove')}</li>}
        {applied !== null && <li class="word"><Icon name="key" size={14} /> {t(`encryption.applied.${applied}`)}</li>}
      </ul>
    </Card>
  );
}

function TargetLine({ target, chosen, onToggle }: { target: Target; chosen: boolean; onToggle: () => void }) {
  const running = target.why !== null && target.installed;
  return (
    <li class={target.why ? 'blocked' : ''}>
      <label class="choice">
        {/* A node that is chosen can always be left out; one on which nothing can be applied cannot be chosen. */}
        <input type="checkbox" checked={chosen} disabled={target.mandatory || (target.why !== null && !chosen)} onChange={onToggle} />
        <span class="choice-text">
          <span class="row">
            <strong>{target.node}</strong>
            {target.mandatory && <Badge>{t('cluster.me')}</Badge>}
            {!target.installed && <Badge tone="info">{t('apply.notInstalled')}</Badge>}
            {target.other && <Badge tone="warning">{t('apply.other')}</Badge>}
          </span>
          {target.why && <small class="why" title={target.detail}><Icon name="warning" size={14} /> {target.why}</small>}
        </span>
      </label>
      {running && <a class="target-link" href={href('/monitoring')}>{t('apply.toMonitoring')}</a>}
    </li>
  );
}
