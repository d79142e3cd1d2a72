import type { ResourceRow } from '../../api/types';
import { lang } from '../../i18n';

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

/** Label of a resource in the language of the page. */
export function labelOf(row: ResourceRow): string {
  return lang.value === 'fr' ? (FRENCH[row.label] ?? row.label) : row.label;
}
