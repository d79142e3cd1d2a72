import { useMemo, useState } from 'preact/hooks';
import { configuration } from '../../../api/configuration';
import type { TemplateRow } from '../../../api/types';
import { freeName } from '../../../config/module';
import { isModuleName } from '../../../config/validate';
import { t } from '../../../i18n';
import { describedOf } from '../../../i18n/told';
import { go, href, pathOf } from '../../../router';
import { here, known, modules, rows } from '../../../state/cluster';
import { Badge, Button, Card, Empty, ErrorBox, Field, LinkButton, PageHead, Spinner, TextInput, useLoad } from '../../../ui';
import { FilePick } from './FilePick';
import { NoCluster } from './ModulesHome';

type Source = { kind: 'template'; row: TemplateRow } | { kind: 'file'; file: File };

const KINDS = ['main', 'backup', 'other'] as const;

/** New module (WEB-26): what it is made of, and its name. */
export function NewModule() {
  const { data, error, reload } = useLoad(configuration.templates, []);
  const [source, setSource] = useState<Source | null>(null);
  if (!known.value) return <Spinner />;
  if (rows.value.length === 0) return <NoCluster />;
  const templates = data ?? [];
  const chosen = source?.kind === 'template' ? source.row.file : null;
  return (
    <>
      <PageHead
        title={t('new.title')}
        help="modules"
        crumbs={[{ label: t('configuration.modules'), href: href('/configuration/modules') }]}
        subtitle={t('new.text', { node: here.value ?? '' })}
      />
      <div class="new-module">
        <div class="stack">
          {error !== null && <ErrorBox error={error} retry={reload} />}
          {!data && !error && <Spinner />}
          {KINDS.map((kind) => (
            <Templates key={kind} kind={kind} rows={templates.filter((row) => row.kind === kind)} chosen={chosen} onRow={(row) => setSource({ kind: 'template', row })} />
          ))}
          <Card title={t('new.upload')} icon="upload">
            <FilePick file={source?.kind === 'file' ? source.file : null} onFile={(file) => setSource({ kind: 'file', file })} />
          </Card>
        </div>
        <Name key={source ? (source.kind === 'file' ? source.file.name : source.row.file) : ''} source={source} />
      </div>
    </>
  );
}

function Templates({ kind, rows: shown, chosen, onRow }: {
  kind: (typeof KINDS)[number];
  rows: TemplateRow[];
  chosen: string | null;
  onRow: (row: TemplateRow) => void;
}) {
  if (shown.length === 0) return null;
  return (
    <Card title={t(`new.${kind}`)} icon={kind === 'backup' ? 'archive' : kind === 'other' ? 'bulb' : 'cube'} flush>
      <p class="card-note">{t(`new.${kind}.text`)}</p>
      <div class="choice-list" role="radiogroup" aria-label={t(`new.${kind}`)}>
        {shown.map((row) => (
          <label key={row.file} class={`choice ${chosen === row.file ? 'chosen' : ''}`}>
            <input type="radio" name="template" checked={chosen === row.file} onChange={() => onRow(row)} />
            <span class="choice-text">
              <span class="row">
                <strong>{row.name}</strong>
                {row.mode && <Badge tone="info">{t(`mode.${row.mode}`)}</Badge>}
              </span>
              {row.description && <small>{describedOf(row)}</small>}
            </span>
          </label>
        ))}
      </div>
    </Card>
  );
}

/** A name that no module has, from the file. */
function proposed(source: Source | null, taken: string[]): string {
  if (!source) return '';
  const file = source.kind === 'file' ? source.file.name : source.row.name;
  const base = file.replace(/^.*\//, '').replace(/\.(safe|zip)$/i, '');
  // Backups and downloads carry a date or a counter behind the name.
  const plain = base.replace(/_\d{4}-\d\d-\d\d.*$/, '').replace(/\s*\(\d+\)$/, '').replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 30);
  return freeName(isModuleName(plain) ? plain : 'module', taken);
}

function Name({ source }: { source: Source | null }) {
  const taken = modules.value.map((module) => module.name);
  const first = useMemo(() => proposed(source, taken), []);
  const [name, setName] = useState(first);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const wrong = !source ? null : !isModuleName(name) ? t('invalid.module') : taken.includes(name) ? t('new.taken') : null;
  const create = async () => {
    if (!source || wrong) return;
    setBusy(true);
    setError(null);
    try {
      if (source.kind === 'file') await configuration.upload(name, source.file);
      else await configuration.create(name, source.row.file);
      await go(pathOf('configuration', 'modules', name, 'config'));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Card class="new-name" title={t('new.name')} icon="edit">
      <form
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void create();
        }}
      >
        {!source && <Empty icon="cube" title={t('new.choose')} />}
        {source && (
          <Field label={t('new.nameLabel')} hint={t('new.nameHint')} error={wrong}>
            {(props) => <TextInput {...props} value={name} onValue={setName} maxLength={32} />}
          </Field>
        )}
        {busy && <Spinner text={t('new.busy')} />}
        {error !== null && <ErrorBox error={error} />}
        <div class="row">
          <Button type="submit" variant="primary" icon="arrowRight" disabled={!source || wrong !== null} busy={busy}>{t('new.do')}</Button>
          {taken.length > 0 && <LinkButton variant="ghost" href={href('/configuration/modules')}>{t('ui.cancel')}</LinkButton>}
        </div>
      </form>
    </Card>
  );
}
