import type { ResourceRow, TemplateRow } from '../api/types';
import { lang } from '.';
import { sentences } from './fr/sentences';
import { templates } from './fr/templates';

/** Labels as the daemon gives them, in French. */
const FRENCH: Record<string, string> = {
  'Local state': 'État local',
  'Remote state': 'État distant',
  'Module start at boot': 'Démarrage du module au boot',
  'Monitoring by checkers': 'Surveillance par les checkers',
  'Encrypted communication': 'Communication chiffrée',
  'Processes/Services monitoring': 'Surveillance des processus et services',
  'Process/service monitoring': 'Surveillance de processus ou service',
  'Automatic failover': 'Reprise automatique',
  'Stop on maxloop': 'Arrêt sur maxloop',
  'Heartbeat link': 'Lien de heartbeat',
  'Heartbeat interface': 'Interface de heartbeat',
  'Interface checker': 'Checker d’interface',
  'IP checker': 'Checker d’adresse IP',
  'Ping checker': 'Checker ping',
  'TCP checker': 'Checker TCP',
  'Custom checker': 'Checker personnalisé',
  'Module checker': 'Checker de module',
  'Uptodate replicated data': 'Données répliquées à jour',
  'Degraded mode for replication': 'Mode dégradé de la réplication',
  'Last synchronization status': 'État de la dernière synchronisation',
  'Load share': 'Part de charge',
};

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Label of a resource in the language of the page. */
export function labelOf(row: ResourceRow): string {
  return lang.value === 'fr' ? (FRENCH[row.label] ?? row.label) : row.label;
}

/** French sentences with the expressions that find their English ones. */
const patterns = Object.entries(sentences).map(([english, french]) => {
  const parts = english.split(/\{\w*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [new RegExp(`^${parts.join('(.*?)')}$`), french] as const;
});

/** A sentence of a server in the language of the page, where it is known; it may begin with a name or a command. */
export function translated(sentence: string): string {
  const known = lang.value === 'fr' ? patterns.find(([english]) => english.test(sentence)) : undefined;
  if (!known) return sentence;
  // Inside of a sentence a server says how resources are.
  return sentence.replace(known[0], known[1]).replace(/(\w+\.\S+) is (\w+)/g, '$1 est $2');
}

/** The same as a sentence of its own. */
export function told(sentence: string): string {
  return upper(translated(sentence));
}

/** What a template says of itself, without its name once more; in the language of the page when it is a delivered one. */
export function describedOf({ name, description }: Pick<TemplateRow, 'name' | 'description'>): string {
  const [named = '', rest = description] = /^([\w.-]+): (.*)$/s.exec(description)?.slice(1) ?? [];
  const known = lang.value === 'fr' ? templates[upper(rest)] : undefined;
  return known ?? upper(named === name ? rest : description);
}
