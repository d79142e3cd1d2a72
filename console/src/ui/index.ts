// The components of the console; each says in its file how it is used.
export { Badge } from './Badge';
export { Button, IconButton, LinkButton } from './Button';
export { CodePane, copy } from './CodePane';
export { confirm, ConfirmHost, type Question } from './Confirm';
export { Dialog } from './Dialog';
export { ErrorBox, Faults, problemDetail, problemTitle } from './ErrorBox';
export { Checkbox, Field, PasswordInput, SearchInput, Select, Switch, TextInput } from './Field';
export { Icon, type IconName } from './Icon';
export { Card, Empty, Facts, Notice, PageHead, type Crumb } from './Layout';
export { Menu, type MenuItem } from './Menu';
export { Outcomes, said } from './Outcomes';
export { Progress } from './Progress';
export { Spinner, useNow } from './Spinner';
export { Pager, sorted, Table, type Column, type Sort } from './Table';
export { Segmented, Tabs, type Tab } from './Tabs';
export { notify, Toasts, type Tone } from './Toast';
export { useLoad, type Loaded } from './useLoad';
