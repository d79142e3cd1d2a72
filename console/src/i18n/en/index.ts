import { common } from './common';
import { configuration } from './configuration';
import { login } from './login';

export const en = { ...common, ...configuration, ...login } as const;
