// The certified oidc-provider as the issuer: algorithms, discovery, UserInfo, a key rotation, an outage.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as jose from 'jose';
import { AUDIENCE, newKey, startIssuer } from './support/issuer.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { judge } from './support/judge.js';
import { signIn } from './support/sign_in.js';

const ALICE = {
  identity: 'alice@example.com',
  name: 'Alice Ångström',
  attributes: { imageUrl: 'https://cdn.example.com/alice.png' },
};
const COOLDOWN_SECONDS = 1;

/** Starts a function that accepts `issuer`, with a short cool-down. */
const trusting = (issuer, env = {}) => startFunction({
  ...DEV_LIVEKIT,
  OIDC_ISSUER: issuer.url,
  OIDC_AUDIENCE: AUDIENCE,
  JWKS_COOLDOWN_SECONDS: String(COOLDOWN_SECONDS),
  ...env,
});
const pastTheCooldown = () => sleep(COOLDOWN_SECONDS * 1000 + 200);

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, String(answer.bytes));
  assert.equal(answer.json.code, code);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
}

describe('access tokens of every algorithm', () => {
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
  let issuer;
  let lambda;
  before(async () => {
    issuer = await startIssuer({ keys: await Promise.all(algorithms.map((alg) => newKey(alg))) });
    lambda = await trusting(issuer);
  });
  after(() => Promise.all([issuer.stop(), lambda.stop()]));

  for (const alg of algorithms) {
    test(alg, async () => {
      const { access_token: token } = await signIn(issuer, 'alice', { alg });
      assert.deepEqual(jose.decodeProtectedHeader(token), { alg, typ: 'at+jwt', kid: `${alg}-1` });
      await judge(await lambda.invoke(tokenEvent(token)), ALICE);
    });
  }

  test('discovery and keys are fetched once', () => {
    const asked = (path) => issuer.seen.filter((url) => url === path).length;
    assert.equal(asked('/.well-known/openid-configuration'), 1);
    assert.equal(asked('/jwks'), 1);
    assert.equal(asked('/me'), 0, 'the token said everything');
  });

  test('ID token is rejected because its audience is the client', async () => {
    const { id_token: token } = await signIn(issuer, 'alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });

  test('no name', async () => {
    const { access_token: token } = await signIn(issuer, 'nora');
    await judge(await lambda.invoke(tokenEvent(token)), { identity: 'nora@example.com', name: 'Unnamed User' });
  });

  test('an address that is not verified', async () => {
    const { access_token: token } = await signIn(issuer, 'mallory');
    assertProblem(await lambda.invoke(tokenEvent(token)), 403, 'email_not_verified');
  });

  test('no address', async () => {
    const { access_token: token } = await signIn(issuer, 'nomail');
    const answer = await lambda.invoke(tokenEvent(token));
    assertProblem(answer, 404, 'email_not_set');
    assert.equal(answer.json.title, 'Email address not set');
  });
});

describe('profile from UserInfo', () => {
  let issuer;
  let lambda;
  const askedUserInfo = () => issuer.seen.filter((url) => url === '/me').length;
  before(async () => {
    issuer = await startIssuer({ keys: [await newKey('ES256')], profileInToken: false });
    lambda = await trusting(issuer);
  });
  after(() => Promise.all([issuer.stop(), lambda.stop()]));

  test('email, name and picture are read from UserInfo', async () => {
    const { access_token: token } = await signIn(issuer, 'alice', { alg: 'ES256' });
    assert.equal(jose.decodeJwt(token).email, undefined);
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
    assert.equal(askedUserInfo(), 1);
  });

  test('UserInfo is requested once per person', async () => {
    const { access_token: token } = await signIn(issuer, 'alice', { alg: 'ES256' });
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
    assert.equal(askedUserInfo(), 1);
  });

  test('unverified address from UserInfo is rejected', async () => {
    const { access_token: token } = await signIn(issuer, 'mallory', { alg: 'ES256' });
    assertProblem(await lambda.invoke(tokenEvent(token)), 403, 'email_not_verified');
  });

  test('missing address in UserInfo is rejected', async () => {
    const { access_token: token } = await signIn(issuer, 'nomail', { alg: 'ES256' });
    assertProblem(await lambda.invoke(tokenEvent(token)), 404, 'email_not_set');
  });

  test('outage of UserInfo results in 503 instead of a token without a name', async () => {
    const { access_token: token } = await signIn(issuer, 'nora', { alg: 'ES256' });
    await issuer.stop();
    const answer = await lambda.invoke(tokenEvent(token));
    assertProblem(answer, 503, 'unavailable');
    assert.match(answer.headers['retry-after'], /^\d+$/);
  });
});

describe('a UserInfo endpoint that rejects the tokens of an API', () => {
  let issuer;
  let token;
  before(async () => {
    issuer = await startIssuer({
      keys: [await newKey('ES256')], profileInToken: false, resourceTokensAtUserInfo: false,
    });
    ({ access_token: token } = await signIn(issuer, 'alice', { alg: 'ES256' }));
  });
  after(() => issuer.stop());

  test('UserInfo rejects the access token', async () => {
    const answer = await fetch(`${issuer.url}/me`, { headers: { authorization: `Bearer ${token}` } });
    assert.ok([401, 403].includes(answer.status), `${answer.status}`);
  });

  test('token is accepted if only the name is missing', async () => {
    const lambda = await trusting(issuer, { PARTICIPANT_IDENTITY: 'sub' });
    try {
      await judge(await lambda.invoke(tokenEvent(token)), { identity: 'alice', name: 'Unnamed User' });
    } finally {
      await lambda.stop();
    }
  });

  test('token is rejected if the email address is missing', async () => {
    const lambda = await trusting(issuer);
    try {
      assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    } finally {
      await lambda.stop();
    }
  });
});

describe('signed UserInfo responses', () => {
  let issuer;
  let lambda;
  before(async () => {
    issuer = await startIssuer({ keys: [await newKey('RS256')], profileInToken: false, signedUserInfo: true });
    lambda = await trusting(issuer);
  });
  after(() => Promise.all([issuer.stop(), lambda.stop()]));

  test('UserInfo answers with a JWT', async () => {
    const { access_token: token } = await signIn(issuer, 'alice');
    const answer = await fetch(`${issuer.url}/me`, { headers: { authorization: `Bearer ${token}` } });
    assert.match(answer.headers.get('content-type'), /^application\/jwt/);
    const { iss, sub, email } = jose.decodeJwt(await answer.text());
    assert.deepEqual({ iss, sub, email }, { iss: issuer.url, sub: 'alice', email: ALICE.identity });
  });

  test('email, name and picture come from the signed response', async () => {
    const { access_token: token } = await signIn(issuer, 'alice');
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });

  test('unverified address in the signed response is rejected', async () => {
    const { access_token: token } = await signIn(issuer, 'mallory');
    assertProblem(await lambda.invoke(tokenEvent(token)), 403, 'email_not_verified');
  });
});

test('token bound to a DPoP key is rejected as a bearer token', async () => {
  const issuer = await startIssuer({ keys: [await newKey('RS256')] });
  const lambda = await trusting(issuer);
  try {
    const { access_token: token, token_type: type } = await signIn(issuer, 'alice', { dpop: true });
    assert.equal(type, 'DPoP');
    assert.ok(jose.decodeJwt(token).cnf.jkt);
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    const { access_token: plain } = await signIn(issuer, 'alice');
    await judge(await lambda.invoke(tokenEvent(plain)), ALICE);
  } finally {
    await Promise.all([issuer.stop(), lambda.stop()]);
  }
});

describe('key rotation', () => {
  let issuer;
  let lambda;
  let first;
  let second;
  const restart = async (generation) => {
    await issuer.stop();
    issuer = await startIssuer({ keys: [await newKey('RS256', generation)], port: issuer.port });
  };
  before(async () => {
    issuer = await startIssuer({ keys: [await newKey('RS256', 1)] });
    lambda = await trusting(issuer);
    first = (await signIn(issuer, 'alice')).access_token;
    await judge(await lambda.invoke(tokenEvent(first)), ALICE);
  });
  after(() => Promise.all([issuer.stop(), lambda.stop()]));

  test('new key is accepted', async () => {
    await restart(2);
    second = (await signIn(issuer, 'alice')).access_token;
    assert.equal(jose.decodeProtectedHeader(second).kid, 'RS256-2');
    await pastTheCooldown();
    await judge(await lambda.invoke(tokenEvent(second)), ALICE);
  });

  test('removed key is rejected', async () => {
    assertProblem(await lambda.invoke(tokenEvent(first)), 401, 'invalid_token');
  });

  test('known key is accepted during an outage of the provider', async () => {
    await issuer.stop();
    await pastTheCooldown();
    await judge(await lambda.invoke(tokenEvent(second)), ALICE);
  });

  test('unknown key results in 503 during an outage of the provider', async () => {
    const stranger = await newKey('RS256', 3);
    const token = await new jose.SignJWT(jose.decodeJwt(second))
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: stranger.kid })
      .sign(await jose.importJWK(stranger));
    const answer = await lambda.invoke(tokenEvent(token));
    assertProblem(answer, 503, 'unavailable');
    const wait = Number(answer.headers['retry-after']);
    assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 30);
  });

  test('another key is accepted after the outage', async () => {
    issuer = await startIssuer({ keys: [await newKey('RS256', 4)], port: issuer.port });
    const { access_token: token } = await signIn(issuer, 'alice');
    await pastTheCooldown();
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });
});

test('function answers 503 during an outage at its start and recovers', async () => {
  let issuer = await startIssuer({ keys: [await newKey('EdDSA')] });
  const { access_token: token } = await signIn(issuer, 'alice', { alg: 'EdDSA' });
  const { port } = issuer;
  await issuer.stop();
  const lambda = await trusting(issuer);
  try {
    assertProblem(await lambda.invoke(tokenEvent(token)), 503, 'unavailable');
    issuer = await startIssuer({ keys: [await newKey('EdDSA', 2)], port });
    const { access_token: later } = await signIn(issuer, 'alice', { alg: 'EdDSA' });
    await pastTheCooldown();
    await judge(await lambda.invoke(tokenEvent(later)), ALICE);
  } finally {
    await Promise.all([issuer.stop(), lambda.stop()]);
  }
});
