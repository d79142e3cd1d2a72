// A certified OpenID Connect provider for the tests: node provider.mjs PORT REDIRECT_URI
// Every user of the list logs in without being asked; which one, the query of the first page says.
import Provider from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const users = {
  boss: { roles: ['SKAdmin', 'SKMonitor'], preferred_username: 'boss' },
  operator: { realm: { roles: ['SKControl'] }, preferred_username: 'operator' },
  guest: { preferred_username: 'guest' },
};
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'safekit', client_secret: 'a secret', redirect_uris: [redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
  claims: { openid: ['sub'], email: ['email'], profile: ['preferred_username'], roles: ['roles', 'realm'] },
  scopes: ['openid', 'email', 'profile', 'roles'],
  cookies: { keys: ['only for tests'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, ...users[id] }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  extraParams: ['user'],
});

// Logs in and consents at once.
provider.use(async (context, next) => {
  if (!context.path.startsWith('/interaction/')) return next();
  const { params, prompt, session, grantId } = await provider.interactionDetails(context.req, context.res);
  let result = { login: { accountId: params.user } };
  if (prompt.name === 'consent') {
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(context.req, context.res, result, { mergeWithLastSubmission: true });
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
