import { t } from '../../i18n';
import { Empty, PageHead } from '../../ui';

/** The configuration pages; `path` is what follows /configuration. */
export default function Configuration({ path }: { path: string[] }) {
  const title = path[0] === 'modules' ? t('configuration.modules') : t('configuration.cluster');
  return (
    <>
      <PageHead title={title} />
      <Empty icon="settings" title={title} />
    </>
  );
}
