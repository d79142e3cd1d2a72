import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../../../i18n';
import { moduleOn } from '../../../state/cluster';
import { Badge, Button, Card, Dialog, Icon, Notice, Switch } from '../../../ui';
import type { Plan } from './apply';
import { draft, setEncrypt } from './draft';
import { targets, type Target } from './nodes';

/** Whether the module has keys on the connection node, and whether it shall have some. */
export function encryption(module: string, here: string): { has: boolean; wanted: boolean; key: boolean | null } {
  const on = moduleOn(module, here)?.module;
  const has = on?.encrypted ?? false;
  // Encrypted by default: a module that was never applied gets keys unless somebody says no.
  const wanted = draft.value?.encrypt ?? (has || !on?.configured);
  return { has, wanted, key: wanted === has ? null : wanted };
}

/** Step 3: encryption of what the nodes of the module tell each other. */
export function EncryptionStep({ module, here, onRenew, foot }: {
  module: string;
  here: string;
  onRenew: (plan: Plan) => void;
  foot: ComponentChildren;
}) {
  const { has, wanted, key } = encryption(module, here);
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
              <Badge tone={has ? 'good' : 'neutral'} icon={has ? 'lock' : 'unlink'}>{t(has ? 'encryption.keys' : 'encryption.noKeys')}</Badge>
              {key !== null && <Badge tone="warning" icon="clock">{t(key ? 'encryption.willMake' : 'encryption.willRemove')}</Badge>}
            </p>
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
