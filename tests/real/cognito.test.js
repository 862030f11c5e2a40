// Amazon Cognito: access tokens, which have no audience, and ID tokens, which are the client's.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';
import { startCognito } from './support/cognito.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { judge } from './support/judge.js';
import { eventually } from './support/processes.js';

const ALICE = {
  identity: 'alice@example.com',
  name: 'Alice Ångström',
  attributes: { imageUrl: 'https://cdn.example.com/alice.png' },
};

let cognito;
before(async () => { cognito = await startCognito(); });
after(() => cognito.stop());

/** A function that trusts the pool: the provider is recognized from the issuer, its keys are moto's. */
const trusting = (env) => startFunction({
  ...DEV_LIVEKIT, OIDC_ISSUER: cognito.issuer, OIDC_JWKS_URI: cognito.keys, PROFILE_SOURCE: 'claims', ...env,
});

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, String(answer.bytes));
  assert.equal(answer.json.code, code);
}

test('the pool\'s tokens have the shapes of Cognito\'s', async () => {
  const tokens = await cognito.signIn('alice');
  const [access, id] = [jose.decodeJwt(tokens.access), jose.decodeJwt(tokens.id)];
  const { frontend } = cognito.clients;
  const shape = ({ token_use, client_id, aud, email }) => ({ token_use, client_id, aud, email });
  assert.deepEqual(shape(access), { token_use: 'access', client_id: frontend, aud: undefined, email: undefined });
  assert.deepEqual(shape(id), { token_use: 'id', client_id: undefined, aud: frontend, email: 'alice@example.com' });
  assert.equal(access.sub, id.sub);
});

describe('access tokens, for those who list the client', () => {
  let lambda;
  before(async () => {
    lambda = await trusting({ OIDC_AUTHORIZED_PARTIES: cognito.clients.frontend, PARTICIPANT_IDENTITY: 'sub' });
  });
  after(() => lambda.stop());

  test('its access token', async () => {
    const { access: token } = await cognito.signIn('alice');
    await judge(await lambda.invoke(tokenEvent(token)), { identity: jose.decodeJwt(token).sub, name: 'Unnamed User' });
  });

  test('its ID token', async () => {
    const { id: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    await eventually('the reason is logged', () => /token_use/.test(lambda.log()));
  });

  test('another client\'s tokens', async () => {
    for (const token of Object.values(await cognito.signIn('alice', 'other'))) {
      assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    }
  });

  test('both clients may be listed', async () => {
    const both = await trusting({
      OIDC_AUTHORIZED_PARTIES: Object.values(cognito.clients).join(', '), PARTICIPANT_IDENTITY: 'sub',
    });
    try {
      for (const client of ['frontend', 'other']) {
        const { access: token } = await cognito.signIn('alice', client);
        await judge(await both.invoke(tokenEvent(token)), { identity: jose.decodeJwt(token).sub, name: 'Unnamed User' });
      }
    } finally {
      await both.stop();
    }
  });
});

test('an access token holds no email address', async () => {
  const lambda = await trusting({ OIDC_AUTHORIZED_PARTIES: cognito.clients.frontend });
  try {
    const { access: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 404, 'email_not_set');
  } finally {
    await lambda.stop();
  }
});

describe('ID tokens, for those who name the client as the audience', () => {
  let lambda;
  before(async () => { lambda = await trusting({ OIDC_AUDIENCE: cognito.clients.frontend }); });
  after(() => lambda.stop());
  const ask = async (person, client) => lambda.invoke(tokenEvent((await cognito.signIn(person, client)).id));

  test('email, verification, name and picture stand in it', async () => judge(await ask('alice'), ALICE));

  test('no name', async () => judge(await ask('nora'), { identity: 'nora@example.com', name: 'Unnamed User' }));

  test('an address that is not verified', async () => assertProblem(await ask('mallory'), 403, 'email_not_verified'));

  test('no address', async () => assertProblem(await ask('nomail'), 404, 'email_not_set'));

  test('another client\'s ID token', async () => assertProblem(await ask('alice', 'other'), 401, 'invalid_token'));

  test('an access token has no audience', async () => {
    const { access: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });
});

test('another pool with the same keys', async () => {
  const lambda = await trusting({ OIDC_ISSUER: `${cognito.issuer}x`, OIDC_AUDIENCE: cognito.clients.frontend });
  try {
    const { id: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  } finally {
    await lambda.stop();
  }
});

test('client and audience at once cannot be met: the function does not start, and says why', async () => {
  const { frontend } = cognito.clients;
  const lambda = await trusting({ OIDC_AUDIENCE: frontend, OIDC_AUTHORIZED_PARTIES: frontend });
  try {
    const { id: token } = await cognito.signIn('alice');
    await assert.rejects(lambda.invoke(tokenEvent(token)));
    const reason = /OIDC_AUDIENCE and OIDC_AUTHORIZED_PARTIES cannot both be set/;
    await eventually('the reason is logged', () => reason.test(lambda.log()));
  } finally {
    await lambda.stop();
  }
});
