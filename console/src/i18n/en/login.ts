// Texts of the login page.
export const login = {
  'login.title': 'Log in',
  'login.where': 'Node {node}, at {host}',
  'login.host': 'Server {host}',
  'login.ended': 'Your session has ended. After the login you are back on the page.',
  'login.user': 'User name',
  'login.password': 'Password',
  'login.submit': 'Log in',
  'login.wrong': 'The name or the password is wrong.',
  'login.wait_one': 'Too many failed logins. Try again in {n} second.',
  'login.wait_other': 'Too many failed logins. Try again in {n} seconds.',
  'login.or': 'or',
  'login.openid': 'Log in with the identity provider',
  'login.openid.failed': 'The identity provider did not log you in',
  'login.http': 'This connection is not encrypted (HTTP): use it in a trusted network only, or set up HTTPS.',
} as const;
