import { access } from './access';
import { common } from './common';
import { configuration } from './configuration';
import { details } from './details';
import { help } from './help';
import { login } from './login';
import { monitoring } from './monitoring';

export const en = { ...access, ...common, ...configuration, ...details, ...help, ...login, ...monitoring } as const;
