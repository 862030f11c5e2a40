// State in DynamoDB: the conformance suite of the crate and the release binary against moto's server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as jose from 'jose';
import { AUDIENCE, newKey } from './support/issuer.js';
import { DEV_LIVEKIT, event, startFunction, tokenEvent } from './support/lambda.js';
import { startMoto } from './support/moto.js';
import { output, run, bootstrap } from './support/processes.js';

const ISSUER = 'https://idp.example.com/realm';
const POLICY = `
[[allow]]
when = { seat = "host" }
rooms = ["*"]
role = "host"

[[allow]]
rooms = ["*"]
role = "participant"
`;

let moto;
let key;
let trusting;
before(async () => {
  moto = await startMoto();
  key = await newKey('ES256');
  const { d, ...publicKey } = key;
  trusting = {
    ...DEV_LIVEKIT, POLICY, OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: AUDIENCE, OIDC_JWKS: JSON.stringify({ keys: [publicKey] }), PROFILE_SOURCE: 'claims',
  };
});
after(() => moto?.stop());

const bearer = async (name, claims = {}) => new jose.SignJWT({ sub: name, email: `${name}@example.com`, email_verified: true, name, ...claims })
  .setProtectedHeader({ alg: 'ES256', kid: key.kid }).setIssuer(ISSUER).setAudience(AUDIENCE).setIssuedAt().setExpirationTime('5m')
  .sign(await jose.importJWK(key));

/** Sends requests to a function. */
const clientOf = (lambda) => ({
  token: async (name, room) => lambda.invoke(tokenEvent(await bearer(name), { room_name: room })),
  bans: async (method, room, { identity, body } = {}) => lambda.invoke(event({
    method,
    path: `/v1/rooms/${room}/bans${identity ? `/${identity}` : ''}`,
    headers: { authorization: `Bearer ${await bearer('host', { seat: 'host' })}`, 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : '',
  })),
});

test('conformance suite passes', async () => {
  const env = { ...process.env, ROOMKEY_TEST_DYNAMODB: moto.url };
  const text = await output('cargo', ['test', '--locked', '--test', 'it', 'state::real'], { env, timeout: 900_000 });
  assert.match(text, /test state::real_dynamodb_conforms \.\.\. ok/);
});

describe('the function', () => {
  let lambda;
  let client;
  before(async () => {
    lambda = await startFunction({ ...trusting, ...await moto.createTable('calls') });
    client = clientOf(lambda);
  });
  after(() => lambda?.stop());

  const item = async (room, who) => (await moto.table('GetItem', { TableName: 'calls', Key: { room: { S: room }, who: { S: who } } })).Item;

  test('ban is stored, listed, enforced and deleted', async () => {
    // LiveKit is not running, so the removal fails after the ban was stored.
    const body = { identity: 'bob@example.com', seconds: 3600, reason: 'spam' };
    assert.equal((await client.bans('POST', 'standup', { body })).status, 503);
    const stored = await item('standup', 'bob@example.com');
    assert.equal(stored.ban.M.reason.S, 'spam');
    assert.equal(stored.expires.N, stored.ban.M.until.N);
    assert.equal((await client.token('bob', 'standup')).json.code, 'banned');
    assert.equal((await client.token('bob', 'other')).status, 201);
    assert.equal((await client.token('ada', 'standup')).status, 201);
    const { bans: [listed] } = (await client.bans('GET', 'standup')).json;
    assert.deepEqual([listed.identity, listed.reason], ['bob@example.com', 'spam']);
    assert.equal((await client.bans('DELETE', 'standup', { identity: 'bob@example.com' })).status, 204);
    assert.equal((await client.token('bob', 'standup')).status, 201);
  });

  test('ban from all rooms needs no LiveKit', async () => {
    assert.equal((await client.bans('POST', '*', { body: { identity: 'eve@example.com' } })).status, 201);
    assert.equal((await client.token('eve', 'anywhere')).json.code, 'banned');
    assert.equal((await item('*', 'eve@example.com')).expires, undefined);
  });

  test('every token costs one consistent read', async () => {
    const before = moto.reads.length;
    assert.equal((await client.token('ada', 'standup')).status, 201);
    const [read, ...more] = moto.reads.slice(before);
    assert.deepEqual([read.action, more], ['DynamoDB_20120810.BatchGetItem', []]);
    assert.equal(read.input.RequestItems.calls.ConsistentRead, true);
  });

  test('absent table is answered 503 with its error code in the log', async () => {
    const env = { ...await moto.createTable('mistyped'), STATE_TABLE: 'absent' };
    const other = await startFunction({ ...trusting, ...env });
    const answer = await clientOf(other).token('ada', 'standup');
    assert.deepEqual([answer.status, answer.json.code], [503, 'unavailable']);
    assert.ok(Number(answer.headers['retry-after']) > 0);
    await other.stop();
    const lines = other.log().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.equal(lines.find(({ message }) => message === 'fetch failed').error, 'refused: ResourceNotFoundException');
    assert.equal(lines.find(({ message }) => message === 'request').upstream, 'state');
  });
});

test('memory is refused on Lambda with the remedy', () => {
  const env = { PATH: process.env.PATH, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9', ...trusting, STATE_TABLE: 'memory' };
  assert.throws(() => run(bootstrap, [], { env }), /STATE_TABLE must not be memory on Lambda[^"]*DynamoDB table/);
});
