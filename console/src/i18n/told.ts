import type { ResourceRow, TemplateRow } from '../api/types';
import { lang } from '.';
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

/** Sentences of the web service in French, with what they name. */
const SENTENCES: [RegExp, string][] = [
  [/^connections are not encrypted: HTTPS is not configured$/, 'Les connexions ne sont pas chiffrées : HTTPS n’est pas configuré.'],
  [
    /^the certificate of the web service expires in (\d+) days: make a new one with initssl, or .*$/,
    'Le certificat du service web expire dans $1 jours : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification.',
  ],
  [
    /^the certificate of the web service expired on (.*?): make a new one with initssl, or .*$/,
    'Le certificat du service web a expiré le $1 : créez-en un nouveau avec initssl, ou installez celui de votre autorité de certification.',
  ],
  [
    /^the certificate of the web service is valid only from (.*): the clock of this node is behind$/,
    'Le certificat du service web n’est valable qu’à partir du $1 : l’horloge de ce nœud retarde.',
  ],
  [
    /^the certificate of the web service is not valid for (.*), an address of this node in cluster\.xml: .*$/,
    'Le certificat du service web n’est pas valable pour $1, une adresse de ce nœud dans cluster.xml : créez-en un nouveau avec initssl.',
  ],
  [/^no login is needed: everybody has the role (\w+) .*$/, 'Aucune connexion n’est demandée : tout le monde a le rôle $1 (httpd.conf).'],
];

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Label of a resource in the language of the page. */
export function labelOf(row: ResourceRow): string {
  return lang.value === 'fr' ? (FRENCH[row.label] ?? row.label) : row.label;
}

/** A sentence of the web service in the language of the page, where it is known. */
export function told(sentence: string): string {
  const known = lang.value === 'fr' ? SENTENCES.find(([text]) => text.test(sentence)) : undefined;
  return known ? sentence.replace(known[0], known[1]) : upper(sentence);
}

/** What a template says of itself, without its name once more; in the language of the page when it is a delivered one. */
export function describedOf({ name, description }: Pick<TemplateRow, 'name' | 'description'>): string {
  const [named = '', rest = description] = /^([\w.-]+): (.*)$/s.exec(description)?.slice(1) ?? [];
  const known = lang.value === 'fr' ? templates[upper(rest)] : undefined;
  return known ?? upper(named === name ? rest : description);
}
