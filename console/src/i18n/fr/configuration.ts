import type { configuration as en } from '../en/configuration';

export const configuration: Record<keyof typeof en, string> = {
  'configuration.cluster': 'Cluster',
  'configuration.modules': 'Modules',
};
