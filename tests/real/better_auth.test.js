// Better Auth as the issuer: tokens of its JWT plugin, keys below /api/auth, verification in `emailVerified`.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';
import { startBetterAuth } from './support/better_auth.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { judge } from './support/judge.js';

const ALICE = {
  identity: 'alice@example.com',
  name: 'Alice Ångström',
  attributes: { imageUrl: 'https://cdn.example.com/alice.png' },
};
const ALICE_SIGNS_UP = { email: ALICE.identity, name: ALICE.name, image: ALICE.attributes.imageUrl };

/** A function with the settings of docs/identity-providers.md. */
const configuredFor = (server, env = {}) => startFunction({
  ...DEV_LIVEKIT, OIDC_ISSUER: server.url, OIDC_PROVIDER: 'better-auth', OIDC_AUDIENCE: server.url, ...env,
});

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, String(answer.bytes));
  assert.equal(answer.json.code, code);
}

for (const algorithm of ['EdDSA', 'ES256', 'RS256']) {
  describe(`tokens signed with ${algorithm}`, () => {
    let server;
    let lambda;
    let alice;
    before(async () => {
      server = await startBetterAuth({ algorithm });
      lambda = await configuredFor(server);
      alice = await server.signUp(ALICE_SIGNS_UP);
    });
    after(() => Promise.all([server.stop(), lambda.stop()]));

    test('token has the shape that the preset expects', () => {
      const { typ, alg } = jose.decodeProtectedHeader(alice.token);
      assert.deepEqual({ typ, alg }, { typ: undefined, alg: algorithm });
      const { iss, aud, emailVerified } = jose.decodeJwt(alice.token);
      assert.deepEqual({ iss, aud, emailVerified }, { iss: server.url, aud: server.url, emailVerified: true });
    });

    test('token of a verified user is accepted, with one request for keys', async () => {
      await judge(await lambda.invoke(tokenEvent(alice.token)), ALICE);
      await judge(await lambda.invoke(tokenEvent(alice.token)), ALICE);
      const fetched = server.seen.filter((path) => path === '/api/auth/jwks');
      assert.equal(fetched.length, 1);
      assert.deepEqual(server.seen.filter((path) => path.includes('.well-known')), [], 'no discovery');
    });

    test('token of an unverified user is rejected', async () => {
      const { token } = await server.signUp({ email: 'mallory@example.com', name: 'Mallory', emailVerified: false });
      assertProblem(await lambda.invoke(tokenEvent(token)), 403, 'email_not_verified');
    });

    test('session token is rejected', async () => {
      assertProblem(await lambda.invoke(tokenEvent(alice.session)), 401, 'invalid_token');
    });
  });
}

describe('another configuration', () => {
  const running = [];
  after(() => Promise.all(running.map((program) => program.stop())));
  const kept = async (program) => {
    running.push(await program);
    return running.at(-1);
  };

  test('token for another audience is rejected', async () => {
    const server = await kept(startBetterAuth({ jwtOptions: { jwt: { audience: 'https://shop.example.com' } } }));
    const lambda = await kept(configuredFor(server));
    const { token } = await server.signUp(ALICE_SIGNS_UP);
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('token of another server is rejected', async () => {
    const [server, other] = [await kept(startBetterAuth()), await kept(startBetterAuth())];
    const lambda = await kept(configuredFor(server));
    const { token } = await other.signUp(ALICE_SIGNS_UP);
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('settings without the preset accept the same token', async () => {
    const server = await kept(startBetterAuth());
    const lambda = await kept(configuredFor(server, {
      OIDC_PROVIDER: 'generic',
      OIDC_JWKS_URI: `${server.url}/api/auth/jwks`,
      PROFILE_SOURCE: 'claims',
      EMAIL_VERIFIED_CLAIM: 'emailVerified',
      PICTURE_CLAIM: 'image',
    }));
    const { token } = await server.signUp(ALICE_SIGNS_UP);
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });

  test('subject is the identity with PARTICIPANT_IDENTITY=sub', async () => {
    const server = await kept(startBetterAuth());
    const lambda = await kept(configuredFor(server, { PARTICIPANT_IDENTITY: 'sub' }));
    const { token } = await server.signUp({ ...ALICE_SIGNS_UP, emailVerified: false });
    await judge(await lambda.invoke(tokenEvent(token)), { ...ALICE, identity: jose.decodeJwt(token).sub });
  });
});
