// An identity provider: npm's certified `oidc-provider`, with example people.
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import { Provider } from 'oidc-provider';
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js';

export const AUDIENCE = 'https://meet.example.com';
export const CLIENT = 'frontend';
export const CALLBACK = 'http://127.0.0.1/callback';

export const PEOPLE = {
  alice: { email: 'alice@example.com', email_verified: true, name: 'Alice Ångström', picture: 'https://cdn.example.com/alice.png' },
  nora: { email: 'nora@example.com', email_verified: true },
  mallory: { email: 'alice@example.com', email_verified: false, name: 'Mallory' },
  nomail: { name: 'No Mail' },
};

/** Creates a key pair as a private JWK, named after its algorithm and `generation`. */
export async function newKey(alg, generation = 1) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${generation}` };
}

/**
 * Starts the provider. With the `port` of an earlier one, the issuer is the same and its keys are rotated.
 * `profileInToken` adds email and name to access tokens, as many providers do. `seen` records the requested paths.
 * `signedUserInfo` makes UserInfo answer with a JWT. `resourceTokensAtUserInfo: false` is the provider's own behavior:
 * UserInfo rejects the tokens of an API.
 */
export async function startIssuer({
  keys, port = 0, profileInToken = true, signedUserInfo = false, resourceTokensAtUserInfo = true,
}) {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;

  const issued = new Map();
  const provider = new Provider(url, {
    adapter: resourceTokensAtUserInfo ? (model) => new Store(model, { issued, url, keys }) : MemoryAdapter,
    jwks: { keys },
    clients: [{
      client_id: CLIENT,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: keys[0].alg,
      ...(signedUserInfo && { userinfo_signed_response_alg: keys[0].alg }),
    }],
    clientDefaults: { id_token_signed_response_alg: keys[0].alg },
    claims: { email: ['email', 'email_verified'], profile: ['name', 'picture'] },
    // ID tokens contain email and name, as with most providers.
    conformIdTokenClaims: false,
    cookies: { keys: ['a key for the sign-in cookies'] },
    ttl: { AccessToken: 300, IdToken: 300, Grant: 3600, Session: 3600, Interaction: 300 },
    findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
    extraTokenClaims: (_, token) => (profileInToken ? PEOPLE[token.accountId] : undefined),
    formats: {
      customizers: { jwt: (_, token, { payload }) => { issued.set(payload.jti, { ...token, ...payload }); } },
    },
    features: {
      devInteractions: { enabled: true },
      dPoP: { enabled: true },
      jwtUserinfo: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // The last part of the resource names the algorithm: .../ES256.
        getResourceServerInfo: (_, resource) => ({
          scope: 'openid email profile',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: resource.split('/').at(-1) } },
        }),
      },
    },
  });

  const seen = [];
  const answer = provider.callback();
  server.on('request', (request, response) => {
    seen.push(request.url);
    answer(request, response);
  });
  return {
    url,
    port: server.address().port,
    seen,
    stop: async () => {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * Storage of the provider. `oidc-provider` does not store JWT access tokens, and its UserInfo endpoint accepts only
 * stored tokens without an audience. Other providers (Auth0, Okta, Keycloak) accept the token of an API there, which is
 * the only token that roomkey has. This storage therefore also finds JWTs by value. It verifies the JWT with the
 * provider's keys and returns the record of its issue without the audience. The rest of UserInfo is unchanged.
 */
class Store extends MemoryAdapter {
  constructor(model, { issued, url, keys }) {
    super(model);
    if (model === 'AccessToken') {
      this.issued = issued;
      this.verify = (jwt) => jose.jwtVerify(jwt, jose.createLocalJWKSet({ keys: keys.map(publicPart) }), { issuer: url, typ: 'at+jwt' });
    }
  }

  async find(id) {
    if (!this.issued || id.split('.').length !== 3) return super.find(id);
    const verified = await this.verify(id).catch(() => undefined);
    if (!verified) return undefined;
    const { aud, format, extra, ...record } = this.issued.get(verified.payload.jti);
    return record;
  }
}

function publicPart({ d, p, q, dp, dq, qi, ...rest }) {
  return rest;
}
