import { clock } from '../format';
import { t } from '../i18n';
import { onNode } from '../router';
import { connection, here, reconnect, rows } from '../state/cluster';
import { Button, Icon } from '../ui';

/** Told at once when the connection node is lost; other nodes are offered. */
export function Banner() {
  const now = connection.value;
  if (now.state !== 'reconnecting') return null;
  const node = here.value ?? window.location.hostname;
  const others = rows.value.filter((r) => !r.me && r.command);
  return (
    <div class="banner" role="alert">
      <Icon name="unlink" />
      <div class="banner-text">
        <strong>{t('connection.lost', { node, time: clock(now.since) })}</strong> {t('connection.lost.stale')}{' '}
        {others.length > 0 && (
          <span class="banner-others">
            {t('connection.lost.others')}{' '}
            {others.map((r) => (
              <a key={r.node} href={onNode(r.command)}>
                {r.node}
              </a>
            ))}
          </span>
        )}
      </div>
      <Button size="small" icon="refresh" onClick={reconnect}>
        {t('connection.retry')}
      </Button>
    </div>
  );
}
