// Glewlwyd as the issuer, a second provider whose access tokens contain neither email nor name.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';
import { CLIENT, startGlewlwyd } from './support/glewlwyd.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { judge } from './support/judge.js';

const ALICE = {
  identity: 'alice@example.com',
  name: 'Alice Ångström',
  attributes: { imageUrl: 'https://cdn.example.com/alice.png' },
};
const SECRET = 'what the provider and the function share, and nobody else';

let glewlwyd;
before(async () => {
  glewlwyd = await startGlewlwyd({ issuers: ['rsa', 'ecdsa', 'sha'], secret: SECRET });
});
after(() => glewlwyd.stop());

/** Starts a function that accepts the issuer. Glewlwyd's `aud` is the list of the token's scopes in one string. */
const trusting = (issuer, env) => startFunction({
  ...DEV_LIVEKIT, OIDC_ISSUER: glewlwyd.issuer(issuer), OIDC_AUDIENCE: 'openid', ...env,
});

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, String(answer.bytes));
  assert.equal(answer.json.code, code);
}

for (const [issuer, alg] of [['rsa', 'RS256'], ['ecdsa', 'ES256']]) {
  describe(`an issuer that signs with ${alg}`, () => {
    let lambda;
    before(async () => { lambda = await trusting(issuer); });
    after(() => lambda.stop());
    const signIn = async (person, scope) => (await glewlwyd.signIn(issuer, person, scope)).access_token;
    const ask = async (token) => lambda.invoke(tokenEvent(token));

    test('access token is accepted with email, name and picture from UserInfo', async () => {
      const token = await signIn('alice');
      assert.equal(jose.decodeProtectedHeader(token).alg, alg);
      assert.equal(jose.decodeJwt(token).email, undefined);
      await judge(await ask(token), ALICE);
    });

    test('audience in a longer string is rejected', async () => {
      const token = await signIn('alice', 'openid meet');
      assert.equal(jose.decodeJwt(token).aud, 'openid meet');
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('ID token is rejected because its audience is the client', async () => {
      const { id_token: token } = await glewlwyd.signIn(issuer, 'alice');
      assert.equal(jose.decodeJwt(token).aud, CLIENT);
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('refresh token is rejected', async () => {
      const { refresh_token: token } = await glewlwyd.signIn(issuer, 'alice');
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('token of the client itself is rejected', async () => {
      const { access_token: token } = await glewlwyd.clientToken(issuer);
      assert.equal(jose.decodeJwt(token).aud, 'openid');
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('unverified address from UserInfo is rejected', async () => {
      assertProblem(await ask(await signIn('mallory')), 403, 'email_not_verified');
    });

    test('missing address is rejected', async () => {
      assertProblem(await ask(await signIn('nomail')), 404, 'email_not_set');
    });
  });
}

describe('other configurations', () => {
  const running = [];
  const function_ = async (issuer, env) => {
    running.push(await trusting(issuer, env));
    return running.at(-1);
  };
  after(() => Promise.all(running.map((lambda) => lambda.stop())));

  test("listed client's access token is accepted and its ID token is rejected", async () => {
    const lambda = await function_('rsa', { OIDC_AUDIENCE: '', OIDC_AUTHORIZED_PARTIES: CLIENT });
    const { access_token: access, id_token: id } = await glewlwyd.signIn('rsa', 'alice', 'openid meet');
    await judge(await lambda.invoke(tokenEvent(access)), ALICE);
    assert.equal(jose.decodeJwt(id).azp, CLIENT);
    assertProblem(await lambda.invoke(tokenEvent(id)), 401, 'invalid_token');
  });

  test('token for another client or audience is rejected', async () => {
    const { access_token: token } = await glewlwyd.signIn('rsa', 'alice');
    const client = await function_('rsa', { OIDC_AUTHORIZED_PARTIES: 'backend' });
    assertProblem(await client.invoke(tokenEvent(token)), 401, 'invalid_token');
    const audience = await function_('rsa', { OIDC_AUDIENCE: 'https://meet.example.com' });
    assertProblem(await audience.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('token of another issuer at the same address is rejected', async () => {
    const lambda = await function_('rsa');
    const { access_token: token } = await glewlwyd.signIn('ecdsa', 'alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('token of a removed user is rejected by UserInfo', async () => {
    const lambda = await function_('ecdsa');
    const { access_token: token } = await glewlwyd.signIn('ecdsa', 'leaver');
    await glewlwyd.remove('leaver');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('two issuers each accept only their own audience', async () => {
    const lambda = await function_('rsa', {
      OIDC_ISSUER: `app=${glewlwyd.issuer('rsa')},staff=${glewlwyd.issuer('ecdsa')}`,
      OIDC_AUDIENCE: '',
      OIDC_APP_AUDIENCE: 'openid',
      OIDC_STAFF_AUDIENCE: 'openid meet',
    });
    const token = async (issuer, scope) => (await glewlwyd.signIn(issuer, 'alice', scope)).access_token;
    await judge(await lambda.invoke(tokenEvent(await token('rsa', 'openid'))), ALICE);
    await judge(await lambda.invoke(tokenEvent(await token('ecdsa', 'openid meet'))), ALICE);
    assertProblem(await lambda.invoke(tokenEvent(await token('rsa', 'openid meet'))), 401, 'invalid_token');
    assertProblem(await lambda.invoke(tokenEvent(await token('ecdsa', 'openid'))), 401, 'invalid_token');
    assertProblem(await lambda.invoke(tokenEvent(await token('sha', 'openid'))), 401, 'invalid_token');
  });

  test('same sub of two issuers results in two participants', async () => {
    const lambda = await function_('rsa', {
      OIDC_ISSUER: `app=${glewlwyd.issuer('rsa')},staff=${glewlwyd.issuer('ecdsa')}`,
      OIDC_AUDIENCE: '',
      OIDC_APP_AUDIENCE: 'openid',
      OIDC_STAFF_AUDIENCE: 'openid',
      PARTICIPANT_IDENTITY: 'sub',
    });
    for (const [issuer, name] of [['rsa', 'app'], ['ecdsa', 'staff']]) {
      const { access_token: token } = await glewlwyd.signIn(issuer, 'alice');
      const identity = `${name}|${jose.decodeJwt(token).sub}`;
      await judge(await lambda.invoke(tokenEvent(token)), { ...ALICE, identity });
    }
  });
});

describe('issuer with a shared secret', () => {
  let lambda;
  let token;
  before(async () => {
    lambda = await trusting('sha', { OIDC_ALGORITHMS: 'HS256', OIDC_HS256_SECRET: SECRET });
    token = (await glewlwyd.signIn('sha', 'alice')).access_token;
  });
  after(() => lambda.stop());

  test('token with the shared secret is accepted', async () => {
    assert.equal(jose.decodeProtectedHeader(token).alg, 'HS256');
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });

  test('token with another secret, another algorithm or no signature is rejected', async () => {
    const claims = jose.decodeJwt(token);
    const header = jose.decodeProtectedHeader(token);
    const sign = (key, alg) => new jose.SignJWT(claims).setProtectedHeader({ ...header, alg }).sign(key);
    const { privateKey } = await jose.generateKeyPair('RS256');
    const rows = {
      'another secret': await sign(Buffer.from(`${SECRET}x`), 'HS256'),
      'HS512 with the same secret': await sign(Buffer.from(SECRET.repeat(2)), 'HS512'),
      RS256: await sign(privateKey, 'RS256'),
      none: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`,
    };
    for (const [name, forged] of Object.entries(rows)) {
      const answer = await lambda.invoke(tokenEvent(forged));
      assert.equal(answer.status, 401, `${name}: ${answer.bytes}`);
    }
  });

  test('token is rejected without the shared secret, independent of the key set', async () => {
    const plain = await trusting('sha');
    try {
      assertProblem(await plain.invoke(tokenEvent(token)), 401, 'invalid_token');
    } finally {
      await plain.stop();
    }
  });
});
