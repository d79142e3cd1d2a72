import { t } from '../../i18n';
import { known } from '../../state/cluster';
import { PageHead, Spinner } from '../../ui';

/** Every module on every node (WEB-06, WEB-30). */
export function Monitoring() {
  return (
    <>
      <PageHead title={t('nav.monitoring')} />
      {!known.value && <Spinner />}
    </>
  );
}
