// The release binary under AWS's Runtime Interface Emulator, its LiveKit keys from Secrets Manager (moto),
// and the provider's keys by discovery (oidc-provider).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AUDIENCE, newKey, startIssuer } from './support/issuer.js';
import { event, startFunction, tokenEvent } from './support/lambda.js';
import { startMoto } from './support/moto.js';
import { eventually } from './support/processes.js';
import { judge } from './support/judge.js';
import { signIn } from './support/sign_in.js';

const SERVER = 'wss://livekit.example.com';
/** Returns the value of a secret with its generation. */
const keys = (generation) => ({
  LIVEKIT_URL: SERVER,
  LIVEKIT_API_KEY: `APIgeneration${generation}`,
  LIVEKIT_API_SECRET: `${generation}`.repeat(40),
});
const expected = (generation) => ({
  server: SERVER,
  key: `APIgeneration${generation}`,
  secret: `${generation}`.repeat(40),
  identity: 'alice@example.com',
  name: 'Alice Ångström',
});

let issuer;
let moto;
let alice;
const running = [];

/** Starts the function with the secret and a TTL of one second. */
async function withSecret(id) {
  const lambda = await startFunction({
    ...moto.env,
    // One person requests more tokens than a deployment allows by default.
    TOKENS_PER_MINUTE: '0',
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
    LIVEKIT_SECRET_ID: id,
    SECRET_TTL_SECONDS: '1',
  });
  running.push(lambda);
  return lambda;
}

const put = (id, value) => moto.ask('PutSecretValue', {
  SecretId: id, SecretString: typeof value === 'string' ? value : JSON.stringify(value),
});
const keyOf = (answer) => JSON.parse(Buffer.from(answer.json.participant_token.split('.')[1], 'base64url')).iss;

/** Sends requests until the function has refreshed its secret, and one more. This generation must sign both. */
async function keeps(lambda, generation) {
  const before = moto.reads.length;
  await eventually('the secret is read again', async () => {
    await sleep(250);
    await judge(await lambda.invoke(tokenEvent(alice)), expected(generation));
    return moto.reads.length > before;
  }, 14);
  await judge(await lambda.invoke(tokenEvent(alice)), expected(generation));
}

/** A refresh is retried at most every ten seconds, which limits the delay of a new key. */
async function turnsTo(lambda, generation) {
  await eventually(`generation ${generation} signs`, async () => {
    await sleep(250);
    const answer = await lambda.invoke(tokenEvent(alice));
    return answer.status === 201 && keyOf(answer) === `APIgeneration${generation}`;
  }, 14);
  await judge(await lambda.invoke(tokenEvent(alice)), expected(generation));
}

before(async () => {
  issuer = await startIssuer({ keys: [await newKey('RS256')] });
  moto = await startMoto();
  alice = (await signIn(issuer, 'alice')).access_token;
});

after(async () => {
  await Promise.all(running.map((lambda) => lambda.stop()));
  await Promise.all([issuer.stop(), moto.stop()]);
});

describe('a secret that changes', () => {
  let lambda;
  before(async () => {
    await moto.ask('CreateSecret', { Name: 'livekit/keys', SecretString: JSON.stringify(keys(1)) });
    lambda = await withSecret('livekit/keys');
  });

  test('first response is 201', async () => {
    const answer = await lambda.invoke(tokenEvent(alice, { room_name: 'standup' }));
    await judge(answer, { ...expected(1), room: 'standup' });
    assert.deepEqual(moto.reads, [{
      action: 'secretsmanager.GetSecretValue', input: { SecretId: 'livekit/keys', VersionStage: 'AWSCURRENT' }, status: 200,
    }]);
  });

  test('health check returns 200 without a token', async () => {
    assert.equal((await lambda.invoke(event({ method: 'GET', path: '/health' }))).status, 200);
  });

  test('invalid token results in 401', async () => {
    const answer = await lambda.invoke(tokenEvent(`${alice}x`));
    assert.equal(answer.status, 401);
    assert.match(answer.headers['www-authenticate'], /^Bearer/);
    assert.equal(answer.json.code, 'invalid_token');
  });

  test('rotated secret is used without a restart', async () => {
    await put('livekit/keys', keys(2));
    await turnsTo(lambda, 2);
  });

  test('malformed secret does not replace a valid one', async () => {
    await put('livekit/keys', '{"LIVEKIT_API_KEY": 7');
    await keeps(lambda, 2);
  });

  test('short secret does not replace a valid one', async () => {
    await put('livekit/keys', { ...keys(3), LIVEKIT_API_SECRET: 'short' });
    await keeps(lambda, 2);
  });

  test('next valid secret is used', async () => {
    await put('livekit/keys', keys(4));
    await turnsTo(lambda, 4);
  });

  test('deleted secret is still used from the cache', async () => {
    await moto.ask('DeleteSecret', { SecretId: 'livekit/keys' });
    await keeps(lambda, 4);
    assert.equal(moto.reads.at(-1).status, 400, 'Secrets Manager refused it');
  });

  test('log has one line per request without secret, token, name or address', () => {
    const log = lambda.log();
    assert.match(log, /invalid_token/);
    for (const generation of [1, 2, 3, 4]) assert.ok(!log.includes(keys(generation).LIVEKIT_API_SECRET));
    for (const word of [alice, alice.split('.')[2], 'alice@example.com', 'Ångström']) assert.ok(!log.includes(word), word);
  });
});

describe('missing secret', () => {
  let lambda;
  before(async () => { lambda = await withSecret('livekit/later'); });

  test('function answers 503 with Retry-After while the secret is missing', async () => {
    const answer = await lambda.invoke(tokenEvent(alice));
    assert.equal(answer.status, 503);
    assert.equal(answer.json.code, 'unavailable');
    const wait = Number(answer.headers['retry-after']);
    assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 30, answer.headers['retry-after']);
  });

  test('function recovers without a restart when the secret exists', async () => {
    await moto.ask('CreateSecret', { Name: 'livekit/later', SecretString: JSON.stringify(keys(5)) });
    await turnsTo(lambda, 5);
  });
});

test('cached secret is used during an outage of Secrets Manager', async () => {
  const lambda = await withSecret('livekit/later');
  await judge(await lambda.invoke(tokenEvent(alice)), expected(5));
  await moto.stop();
  for (let second = 0; second < 12; second += 1) {
    await judge(await lambda.invoke(tokenEvent(alice)), expected(5));
    await sleep(1000);
  }
});
