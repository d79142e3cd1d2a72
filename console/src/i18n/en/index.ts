import { access } from './access';
import { common } from './common';
import { configuration } from './configuration';
import { details } from './details';
import { login } from './login';
import { monitoring } from './monitoring';

export const en = { ...access, ...common, ...configuration, ...details, ...login, ...monitoring } as const;
