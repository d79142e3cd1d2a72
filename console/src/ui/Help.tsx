import { useState } from 'preact/hooks';
import { t, type Key } from '../i18n';
import { IconButton } from './Button';
import { Dialog } from './Dialog';
import { Icon } from './Icon';

/** What the guide has to say about a page: its address and the name of the link. */
const GUIDE = {
  cluster: [['configuration.html#clusterxml', 'help.guide.cluster'], ['failures/wrong-key.html', 'help.guide.wrongKey']],
  modules: [['configuration.html#userconfigxml', 'help.guide.module'], ['commands.html#modules', 'help.guide.commands']],
  wizard: [['configuration.html#userconfigxml', 'help.guide.module'], ['failures/index.html', 'help.guide.failures']],
  access: [['security.html', 'help.guide.security'], ['failures/login.html', 'help.guide.login']],
  commands: [['commands.html', 'help.guide.commands'], ['failures/index.html', 'help.guide.failures']],
} as const satisfies Record<string, readonly (readonly [string, Key])[]>;

/** A page that explains itself (WEB-21). */
export type HelpTopic = keyof typeof GUIDE;

/** The question mark beside the title of a page. */
export function Help({ topic }: { topic: HelpTopic }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <IconButton icon="help" label={t('help.open')} onClick={() => setOpen(true)} />
      {open && (
        <Dialog title={t('help.title')} onClose={() => setOpen(false)}>
          <div class="stack help">
            {t(`help.${topic}`).split('\n').map((text) => <p key={text}>{text}</p>)}
            <ul class="help-links">
              {GUIDE[topic].map(([page, name]) => (
                <li key={page}>
                  <a href={`/console/guide/${page}`} target="_blank" rel="noreferrer">
                    <Icon name="help" size={15} />
                    {t(name)}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        </Dialog>
      )}
    </>
  );
}
