import type { en } from '../en';
import { common } from './common';
import { configuration } from './configuration';
import { login } from './login';
import { monitoring } from './monitoring';

// A key without its French text does not compile.
export const fr: Record<keyof typeof en, string> = { ...common, ...configuration, ...login, ...monitoring };
