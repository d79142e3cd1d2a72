import type { en } from '../en';
import { access } from './access';
import { common } from './common';
import { configuration } from './configuration';
import { details } from './details';
import { help } from './help';
import { login } from './login';
import { monitoring } from './monitoring';

// A key without its French text does not compile.
export const fr: Record<keyof typeof en, string> = { ...access, ...common, ...configuration, ...details, ...help, ...login, ...monitoring };
