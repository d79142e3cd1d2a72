import { XmlFault } from '../../../config/xml';
import { t } from '../../../i18n';
import { Button, Notice } from '../../../ui';

/** The form cannot show what is no configuration; the text is still there. */
export function NoForm({ fault, onXml }: { fault: XmlFault; onXml: () => void }) {
  return (
    <Notice
      tone="bad"
      title={t('configuration.noForm')}
      actions={<Button size="small" icon="code" onClick={onXml}>{t('configuration.toXml')}</Button>}
    >
      {t('ui.line', { line: fault.line })}: {fault.message}
    </Notice>
  );
}

/** What a reader makes of a text, or why it cannot. */
export function readOr<T>(text: string, read: (text: string) => T): T | XmlFault {
  try {
    return read(text);
  } catch (fault) {
    if (fault instanceof XmlFault) return fault;
    throw fault;
  }
}
