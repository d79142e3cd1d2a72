import { t } from '../../../i18n';
import { confirm } from '../../../ui';

/** Asks before a page with unsaved changes is left; `drop` forgets them. */
export async function askToLeave(drop: () => void): Promise<boolean> {
  const yes = await confirm({
    title: t('configuration.leave.title'),
    effects: [t('configuration.leave.text')],
    confirm: t('configuration.leave.do'),
    danger: true,
  });
  if (yes) drop();
  return yes;
}

/** Asks before unsaved changes are replaced by what the server has. */
export function askToReload(): Promise<boolean> {
  return confirm({
    title: t('configuration.reload.title'),
    effects: [t('configuration.reload.text')],
    confirm: t('configuration.reload.do'),
    danger: true,
  });
}
