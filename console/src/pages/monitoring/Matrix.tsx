import { useMemo } from 'preact/hooks';
import { t } from '../../i18n';
import { here, nodes, stale, type ModuleView, type NodeView } from '../../state/cluster';
import { serviceOf } from '../../state/service';
import { Badge, Icon, Menu } from '../../ui';
import { Cell, Unreachable } from './Cell';
import { moduleMenu } from './menus';
import { ServiceBadge } from './State';

/** Modules as rows, nodes as columns; on a phone a card a module. */
export function Matrix({ modules }: { modules: ModuleView[] }) {
  const columns = nodes.value.map((node) => node.name).join(' ');
  return (
    <div class="matrix-frame">
      <table class="matrix" aria-label={t('monitoring.title')} style={{ '--nodes': nodes.value.length }}>
        <thead>
          <tr>
            <th scope="col" class="matrix-corner">
              <span class="hidden-text">{t('monitoring.module')}</span>
            </th>
            {nodes.value.map((node) => (
              <NodeHead key={node.name} node={node} />
            ))}
          </tr>
        </thead>
        <tbody>
          {modules.map((module) => (
            <KeptRow key={module.name} module={module} columns={columns} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NodeHead({ node }: { node: NodeView }) {
  return (
    <th scope="col" class={node.reachable ? '' : 'old'}>
      <span class="node-head">
        <Icon name="server" size={17} />
        <strong>{node.name}</strong>
        {node.name === here.value && <Badge icon="globe">{t('monitoring.connectionNode')}</Badge>}
      </span>
      {!node.reachable && <Unreachable node={node} />}
    </th>
  );
}

/** Drawn again only when one of its nodes has told something new of the module; a silent node, when that is told. */
function KeptRow({ module, columns }: { module: ModuleView; columns: string }) {
  const told = module.on.flatMap((x) => [x.module, x.node.reachable ? x.node.name : x.node]);
  return useMemo(() => <Row module={module} columns={columns.split(' ')} />, [columns, ...told]);
}

function Row({ module, columns }: { module: ModuleView; columns: string[] }) {
  return (
    <tr>
      <th scope="row">
        <ModuleHead module={module} />
      </th>
      {columns.map((column) => {
        const found = module.on.find((x) => x.node.name === column);
        return (
          <td key={column} class={found ? '' : 'absent'}>
            {found ? <KeptCell {...found} /> : <span class="cell-none">{t('monitoring.notInstalled')}</span>}
          </td>
        );
      })}
    </tr>
  );
}

/** As its row: what the other nodes tell does not draw it again. */
function KeptCell({ node, module }: ModuleView['on'][number]) {
  return useMemo(() => <Cell node={node} module={module} />, [module, node.reachable ? node.name : node]);
}

function ModuleHead({ module }: { module: ModuleView }) {
  const first = module.on[0]!.module;
  return (
    <div class="module-head">
      <div class="module-name">
        <strong>{module.name}</strong>
        <Menu label={t('monitoring.moduleMenu', { module: module.name })} items={() => moduleMenu(module.name)} />
      </div>
      <div class="module-facts">
        <ServiceBadge service={stale.value ? 'unknown' : serviceOf(module.on)} />
        <span class="module-mode">
          {first.mode && t(`mode.${first.mode}`)}
          <Remark show={first.encrypted} icon="lock" text={t('monitoring.encrypted')} />
        </span>
      </div>
      {differ(module) && <p class="line warning"><Icon name="warning" size={15} />{t('monitoring.differs')}</p>}
    </div>
  );
}

function Remark({ show, icon, text }: { show: boolean; icon: 'lock'; text: string }) {
  if (!show) return null;
  return (
    <span title={text}>
      <Icon name={icon} size={14} />
      <span class="hidden-text">{text}</span>
    </span>
  );
}

/** The nodes that answer run different configurations of the module. */
export function differ(module: ModuleView): boolean {
  const active = module.on.filter((x) => x.node.reachable).flatMap((x) => (x.module.active ? [x.module.active.signature] : []));
  return new Set(active).size > 1;
}
