import { common } from './common';
import { configuration } from './configuration';
import { login } from './login';
import { monitoring } from './monitoring';

export const en = { ...common, ...configuration, ...login, ...monitoring } as const;
