// Glewlwyd as the issuer: a provider of another make, whose access tokens hold neither email nor name.
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

/** A function that trusts the issuer of that name. Glewlwyd's `aud` is the list of the token's scopes, as one text. */
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

    test('an access token; email, name and picture come from UserInfo', async () => {
      const token = await signIn('alice');
      assert.equal(jose.decodeProtectedHeader(token).alg, alg);
      assert.equal(jose.decodeJwt(token).email, undefined);
      await judge(await ask(token), ALICE);
    });

    test('its audience as part of a longer text is another audience', async () => {
      const token = await signIn('alice', 'openid meet');
      assert.equal(jose.decodeJwt(token).aud, 'openid meet');
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('an ID token is for the client', async () => {
      const { id_token: token } = await glewlwyd.signIn(issuer, 'alice');
      assert.equal(jose.decodeJwt(token).aud, CLIENT);
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('a refresh token is no token of ours', async () => {
      const { refresh_token: token } = await glewlwyd.signIn(issuer, 'alice');
      assertProblem(await ask(token), 401, 'invalid_token');
    });

    test('the client itself is nobody that UserInfo knows', async () => {
      const { access_token: token } = await glewlwyd.clientToken(issuer);
      assert.equal(jose.decodeJwt(token).aud, 'openid');
      assertProblem(await ask(token), 404, 'user_not_found');
    });

    test('an address that UserInfo does not call verified', async () => {
      assertProblem(await ask(await signIn('mallory')), 403, 'email_not_verified');
    });

    test('no address', async () => {
      assertProblem(await ask(await signIn('nomail')), 404, 'email_not_set');
    });
  });
}

describe('other ways to trust it', () => {
  const running = [];
  const function_ = async (issuer, env) => {
    running.push(await trusting(issuer, env));
    return running.at(-1);
  };
  after(() => Promise.all(running.map((lambda) => lambda.stop())));

  test('by the client: its access token is taken, its ID token not', async () => {
    const lambda = await function_('rsa', { OIDC_AUDIENCE: '', OIDC_AUTHORIZED_PARTIES: CLIENT });
    const { access_token: access, id_token: id } = await glewlwyd.signIn('rsa', 'alice', 'openid meet');
    await judge(await lambda.invoke(tokenEvent(access)), ALICE);
    assert.equal(jose.decodeJwt(id).azp, CLIENT);
    assertProblem(await lambda.invoke(tokenEvent(id)), 401, 'invalid_token');
  });

  test('by another client, or another audience', async () => {
    const { access_token: token } = await glewlwyd.signIn('rsa', 'alice');
    const client = await function_('rsa', { OIDC_AUTHORIZED_PARTIES: 'backend' });
    assertProblem(await client.invoke(tokenEvent(token)), 401, 'invalid_token');
    const audience = await function_('rsa', { OIDC_AUDIENCE: 'https://meet.example.com' });
    assertProblem(await audience.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('one issuer at the same address is not the other', async () => {
    const lambda = await function_('rsa');
    const { access_token: token } = await glewlwyd.signIn('ecdsa', 'alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('somebody who was removed: the issuer refuses the token', async () => {
    const lambda = await function_('ecdsa');
    const { access_token: token } = await glewlwyd.signIn('ecdsa', 'leaver');
    await glewlwyd.remove('leaver');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('two issuers at once: each with its own audience, nobody with the other one\'s', async () => {
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

  test('two issuers at once: the same sub is another participant', async () => {
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

describe('an issuer that signs with a shared secret', () => {
  let lambda;
  let token;
  before(async () => {
    lambda = await trusting('sha', { OIDC_ALGORITHMS: 'HS256', OIDC_HS256_SECRET: SECRET });
    token = (await glewlwyd.signIn('sha', 'alice')).access_token;
  });
  after(() => lambda.stop());

  test('its token', async () => {
    assert.equal(jose.decodeProtectedHeader(token).alg, 'HS256');
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });

  test('the same claims signed with another secret, another algorithm or none', async () => {
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

  test('without the secret among ours its tokens are refused, whatever its key set holds', async () => {
    const plain = await trusting('sha');
    try {
      assertProblem(await plain.invoke(tokenEvent(token)), 401, 'invalid_token');
    } finally {
      await plain.stop();
    }
  });
});
