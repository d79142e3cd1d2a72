import { attrSpec, AddLine, Attr, Attrs, TagFaults, useForm } from '../../parts/form';
import * as model from '../../../../config/module';
import { invalid } from '../../../../config/validate';
import { t } from '../../../../i18n';
import { Card, Icon, IconButton } from '../../../../ui';

const bad = (tag: string, name: string) => (value: string): string | null => {
  const wrong = invalid(attrSpec(tag, name), value);
  return wrong ? t(wrong.key as 'invalid.path') : null;
};

/** Replicated directories of a mirror. */
export function Replication({ form }: { form: model.ModuleForm }) {
  const { edit } = useForm();
  return (
    <Card icon="sync" title={t('form.replication')}>
      <p class="card-intro">{t(form.rfs ? 'form.replication.text' : 'form.replication.none')}</p>
      {form.replicated.map((dir) => <Directory key={dir.item.at.join()} dir={dir} />)}
      <AddLine label={t('form.addDirectory')} placeholder="/var/lib/application" button={t('form.add')} check={bad('replicated', 'dir')} onAdd={(dir) => edit((text) => model.addReplicated(text, dir))} />
      {form.rfs && <Attrs item={form.rfs} group="rfs" />}
      {form.rfs && <Attrs item={form.rfs} group="rfs" more />}
    </Card>
  );
}

function Directory({ dir }: { dir: model.Replicated }) {
  const { edit } = useForm();
  const count = dir.excludes.length + dir.tochecks.length;
  const remove = (item: model.Item) => edit((text) => model.removeItem(text, item.at));
  return (
    <div class="group">
      <div class="group-head">
        <Attr item={dir.item} spec={attrSpec('replicated', 'dir')} bare />
        <IconButton icon="x" label={t('form.remove', { what: dir.item.attrs.dir ?? '' })} onClick={() => edit((text) => model.removeReplicated(text, dir.item.at))} />
      </div>
      <TagFaults items={[dir.item]} />
      <details class="more" open={count > 0}>
        <summary>{t('form.excludes')}</summary>
        <ul class="words">
          {dir.excludes.map((item) => {
            const value = item.attrs.path ?? item.attrs.regexpath ?? item.attrs.regxpath ?? '';
            return <Chip key={item.at.join()} item={item} kind={t(item.attrs.path === undefined ? 'form.excluded.regex' : 'form.excluded')} value={value} onRemove={remove} />;
          })}
          {dir.tochecks.map((item) => <Chip key={item.at.join()} item={item} kind={t('form.tocheck')} value={item.attrs.path ?? ''} onRemove={remove} />)}
        </ul>
        <div class="form-grid">
          <AddLine label={t('form.addExclude')} button={t('form.add')} check={bad('notreplicated', 'path')} onAdd={(path) => edit((text) => model.addExclude(text, dir.item.at, 'path', path))} />
          <AddLine label={t('form.addRegex')} button={t('form.add')} check={bad('notreplicated', 'regexpath')} onAdd={(regex) => edit((text) => model.addExclude(text, dir.item.at, 'regexpath', regex))} />
          <AddLine label={t('form.addToCheck')} button={t('form.add')} check={bad('tocheck', 'path')} onAdd={(path) => edit((text) => model.addToCheck(text, dir.item.at, path))} />
        </div>
      </details>
    </div>
  );
}

function Chip({ item, kind, value, onRemove }: { item: model.Item; kind: string; value: string; onRemove: (item: model.Item) => void }) {
  return (
    <li class="word">
      <small>{kind}</small> <code>{value}</code>
      <button type="button" aria-label={t('form.remove', { what: value })} title={t('form.remove', { what: value })} onClick={() => onRemove(item)}>
        <Icon name="x" size={13} />
      </button>
      <TagFaults items={[item]} />
    </li>
  );
}
