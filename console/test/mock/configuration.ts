// Routes of the configuration pages: cluster, templates, files of modules, deployment.

import type { Route } from './http';

export const configurationRoutes: Route[] = [];
