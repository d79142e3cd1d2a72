import type { en } from '../en';
import { access } from './access';
import { common } from './common';
import { configuration } from './configuration';
import { details } from './details';
import { help } from './help';
import { login } from './login';
import { monitoring } from './monitoring';
import { tied } from './tie';

// A key without its French text does not compile.
export const fr: Record<keyof typeof en, string> = tied({ ...access, ...common, ...configuration, ...details, ...help, ...login, ...monitoring });
