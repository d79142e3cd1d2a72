import { t } from '../../i18n';
import { href } from '../../router';
import { Empty, LinkButton } from '../../ui';
import { ClusterHome } from './cluster/ClusterHome';
import { ClusterWizard } from './cluster/ClusterWizard';
import './configuration.css';
import { ModulesHome } from './modules/ModulesHome';
import { NewModule } from './modules/NewModule';
import { ModuleWizard } from './wizard/ModuleWizard';

/** The configuration pages (WEB-02 to WEB-05); `path` is what follows /configuration. */
export default function Configuration({ path }: { path: string[] }) {
  const [area, first, second, ...rest] = path;
  if (area === undefined || (area === 'cluster' && first === undefined)) return <ClusterHome />;
  if (area === 'cluster' && first === 'config' && second === undefined) return <ClusterWizard />;
  if (area === 'modules' && first === undefined) return <ModulesHome />;
  if (area === 'modules' && first === 'new' && second === undefined) return <NewModule />;
  if (area === 'modules' && first && second === 'config' && rest.length === 0) return <ModuleWizard key={first} module={first} />;
  return (
    <Empty icon="search" title={t('app.notFound')} action={<LinkButton href={href('/configuration/modules')}>{t('configuration.modules')}</LinkButton>}>
      <p>{t('app.notFound.text')}</p>
    </Empty>
  );
}
