import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../i18n';
import { moduleOn } from '../../../state/cluster';
import { Badge, Button, Card, Dialog, Icon, Notice, Switch } from '../../../ui';
import type { Plan } from './apply';
import { draft, setEncrypt } from './draft';
import { targets, type Target } from './nodes';

export interface Encryption {
  /** The module runs with keys on the connection node. */
  active: boolean;
  /** The keys that are saved there, which are those that are applied. */
  saved: 'none' | 'active' | 'new';
  has: boolean;
  /** It shall have some. */
  wanted: boolean;
  /** Keys are to be made or removed; null: those that are saved are applied. */
  key: boolean | null;
}

/** The keys of the module on the connection node, and whether it shall have some. */
export function encryption(module: string, here: string): Encryption {
  const on = moduleOn(module, here)?.module;
  const saved = on?.saved_key ?? 'none';
  const has = saved !== 'none';
  // Encrypted by default: a module that was never applied gets keys unless somebody says no.
  const wanted = draft.value?.encrypt ?? (has || !on?.configured);
  return { active: on?.encrypted ?? false, saved, has, wanted, key: wanted === has ? null : wanted };
}

/** What applying does to the encryption that is active, without a wish of the administrator; null: nothing. */
export function keyChange({ active, saved, key }: Encryption): 'ends' | 'begins' | 'other' | null {
  if (key !== null || saved === 'active') return null;
  if (saved === 'none') return active ? 'ends' : null;
  return active ? 'other' : 'begins';
}

/** Step 3: encryption of what the nodes of the module tell each other. */
export function EncryptionStep({ module, here, onRenew, foot }: {
  module: string;
  here: string;
  onRenew: (plan: Plan) => void;
  foot: ComponentChildren;
}) {
  const state = encryption(module, here);
  const { active, has, wanted, key } = state;
  const change = keyChange(state);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <div class="stack">
        <Card icon="lock" title={t('encryption.title')}>
          <div class="stack">
            <p class="card-intro">{t('encryption.text')}</p>
            <Switch checked={wanted} onChecked={(on) => setEncrypt(on === has ? null : on)} hint={t('encryption.enable.help')}>{t('encryption.enable')}</Switch>
            <p class="row">
              <span class="muted">{t('encryption.now', { node: here })}</span>
              <Badge tone={active ? 'good' : 'neutral'} icon={active ? 'lock' : 'unlink'}>{t(active ? 'encryption.keys' : 'encryption.noKeys')}</Badge>
              {key !== null && <Badge tone="warning" icon="clock">{t(key ? 'encryption.willMake' : 'encryption.willRemove')}</Badge>}
            </p>
            {(change || (key !== null && active !== has)) && (
              <p class="row">
                <span class="muted">{t('encryption.saved', { node: here })}</span>
                <Badge tone="warning" icon={has ? 'lock' : 'unlink'}>{t(has ? (active ? 'encryption.otherKeys' : 'encryption.keys') : 'encryption.noKeys')}</Badge>
              </p>
            )}
            {change && <Notice tone={change === 'ends' ? 'warning' : 'info'}>{t(`encryption.change.${change}`)}</Notice>}
            {!wanted && <Notice tone="warning">{t('encryption.off')}</Notice>}
          </div>
        </Card>
        {has && (
          <Card icon="key" title={t('renew.title')}>
            <div class="stack">
              <p class="card-intro">{t('renew.text')}</p>
              <div><Button icon="key" onClick={() => setAsking(true)}>{t('renew.open')}</Button></div>
            </div>
          </Card>
        )}
      </div>
      {asking && <Renew module={module} here={here} onClose={() => setAsking(false)} onGo={onRenew} />}
      <footer class="wizard-foot">{foot}</footer>
    </>
  );
}

/** Explains what new keys take, and starts it. */
function Renew({ module, here, onClose, onGo }: { module: string; here: string; onClose: () => void; onGo: (plan: Plan) => void }) {
  const on: Target[] = targets(module).filter((target) => target.installed || target.mandatory);
  const blocked = on.filter((target) => target.why !== null);
  const nodes = on.map((target) => target.node);
  return (
    <Dialog
      title={t('renew.title')}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose} autoFocus>{t('ui.cancel')}</Button>
          <Button variant="primary" icon="key" disabled={blocked.length > 0} onClick={() => onGo({ module, here, nodes, key: null })} data-testid="confirm">
            {t('renew.go')}
          </Button>
        </>
      }
    >
      <div class="stack">
        <p>{t('renew.why')}</p>
        <ol class="plan">
          <li>{t('renew.step.save', { node: here })}</li>
          <li>{t('renew.step.off', { nodes: nodes.join(', ') })}</li>
          <li>{t('renew.step.on', { nodes: nodes.join(', ') })}</li>
        </ol>
        {blocked.map((target) => (
          <p key={target.node} class="tag-fault">
            <Icon name="warning" size={15} /> {target.node}: {target.why}
          </p>
        ))}
      </div>
    </Dialog>
  );
}
