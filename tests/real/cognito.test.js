// Amazon Cognito: access tokens, which have no audience, and ID tokens, whose audience is the client.
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

/** Starts a function that accepts the pool. The provider is recognized from the issuer, and the keys are moto's. */
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

describe('access tokens with OIDC_AUTHORIZED_PARTIES', () => {
  let lambda;
  before(async () => {
    lambda = await trusting({ OIDC_AUTHORIZED_PARTIES: cognito.clients.frontend, PARTICIPANT_IDENTITY: 'sub' });
  });
  after(() => lambda.stop());

  test('access token of the client is accepted', async () => {
    const { access: token } = await cognito.signIn('alice');
    await judge(await lambda.invoke(tokenEvent(token)), { identity: jose.decodeJwt(token).sub, name: 'Unnamed User' });
  });

  test('ID token of the client is rejected', async () => {
    const { id: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    await eventually('the reason is logged', () => /token_use/.test(lambda.log()));
  });

  test('another client\'s tokens', async () => {
    for (const token of Object.values(await cognito.signIn('alice', 'other'))) {
      assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
    }
  });

  test('two listed clients are accepted', async () => {
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

test('access token without an email address is rejected', async () => {
  const lambda = await trusting({ OIDC_AUTHORIZED_PARTIES: cognito.clients.frontend });
  try {
    const { access: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 404, 'email_not_set');
  } finally {
    await lambda.stop();
  }
});

describe('ID tokens with OIDC_AUDIENCE', () => {
  let lambda;
  before(async () => { lambda = await trusting({ OIDC_AUDIENCE: cognito.clients.frontend }); });
  after(() => lambda.stop());
  const ask = async (person, client) => lambda.invoke(tokenEvent((await cognito.signIn(person, client)).id));

  test('ID token contains email, verification, name and picture', async () => judge(await ask('alice'), ALICE));

  test('no name', async () => judge(await ask('nora'), { identity: 'nora@example.com', name: 'Unnamed User' }));

  test('name is composed of given and family name', async () => {
    await judge(await ask('parts'), { identity: 'parts@example.com', name: 'Grace Hopper' });
  });

  test('unverified address is rejected', async () => assertProblem(await ask('mallory'), 403, 'email_not_verified'));

  test('missing address is rejected', async () => assertProblem(await ask('nomail'), 404, 'email_not_set'));

  test('ID token of another client is rejected', async () => assertProblem(await ask('alice', 'other'), 401, 'invalid_token'));

  test('access token is rejected because it has no audience', async () => {
    const { access: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  });
});

test('policy matches the groups of both kinds of token', async () => {
  const POLICY = '[[allow]]\nwhen = { "cognito:groups" = "hosts" }\nrooms = ["*"]\nrole = "participant"\n';
  const { frontend } = cognito.clients;
  const rows = [
    ['id', { OIDC_AUDIENCE: frontend }],
    ['access', { OIDC_AUTHORIZED_PARTIES: frontend, PARTICIPANT_IDENTITY: 'sub' }],
  ];
  for (const [kind, env] of rows) {
    const lambda = await trusting({ ...env, POLICY });
    try {
      const ask = async (person) => lambda.invoke(
        tokenEvent((await cognito.signIn(person))[kind], { room_name: 'standup' }),
      );
      const { status, bytes } = await ask('alice');
      assert.equal(status, 201, `${kind}: ${bytes}`);
      assertProblem(await ask('nora'), 403, 'room_not_allowed');
    } finally {
      await lambda.stop();
    }
  }
});

test('token of another pool with the same keys is rejected', async () => {
  const lambda = await trusting({ OIDC_ISSUER: `${cognito.issuer}x`, OIDC_AUDIENCE: cognito.clients.frontend });
  try {
    const { id: token } = await cognito.signIn('alice');
    assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
  } finally {
    await lambda.stop();
  }
});

test('function does not start if client and audience are both set', async () => {
  const { frontend } = cognito.clients;
  const lambda = await trusting({ OIDC_AUDIENCE: frontend, OIDC_AUTHORIZED_PARTIES: frontend });
  try {
    const { id: token } = await cognito.signIn('alice');
    await assert.rejects(lambda.invoke(tokenEvent(token)));
    const reason = /OIDC_AUDIENCE and OIDC_AUTHORIZED_PARTIES must not both be set/;
    await eventually('the reason is logged', () => reason.test(lambda.log()));
  } finally {
    await lambda.stop();
  }
});
