import { api } from '../../api/api';
import { lang, t } from '../../i18n';
import { through } from '../../state/cluster';
import { Card, ErrorBox, Spinner, useLoad } from '../../ui';

/** Why the module is in its state and what to do; read again when the state changes. */
export function Explain({ module, node, state }: { module: string; node: string; state: string }) {
  const { data, error, reload } = useLoad(() => api.explain(through(node), module), [module, node, state, lang.value]);
  if (error) return <ErrorBox error={error} retry={reload} />;
  if (!data) return <Spinner />;
  return (
    <div class="columns">
      <Card title={t('explain.reasons')} icon="help">
        <List items={data.reasons} />
      </Card>
      <Card title={t('explain.advice')} icon="bulb">
        {data.advice.length === 0 ? <p class="muted">{t('explain.ready')}</p> : <List items={data.advice} numbered />}
      </Card>
    </div>
  );
}

function List({ items, numbered }: { items: string[]; numbered?: boolean }) {
  return (
    <ol class={`sentences ${numbered ? 'numbered' : ''}`}>
      {items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ol>
  );
}
