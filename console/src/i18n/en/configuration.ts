// Texts of the configuration pages.
export const configuration = {
  'configuration.cluster': 'Cluster',
  'configuration.modules': 'Modules',
} as const;
