// LiveKit's server SDK and protocol package check tokens for many kinds of request. The provider's key set is
// passed as JSON, so only the function runs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { JobRestartPolicy, RoomAgentDispatch, RoomConfiguration, RoomEgress } from '@livekit/protocol';
import * as jose from 'jose';
import { TokenVerifier } from 'livekit-server-sdk';
import { AUDIENCE, PEOPLE, newKey } from './support/issuer.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { PALETTE, judge } from './support/judge.js';

const ISSUER = 'https://idp.example.com/realm';
let key;
const running = [];

/** Returns an access token of `person`, signed with the provider's key. */
async function bearer(person, claims = {}) {
  return new jose.SignJWT({ ...PEOPLE[person], ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuer(ISSUER).setAudience(AUDIENCE).setSubject(person).setIssuedAt().setExpirationTime('5m')
    .sign(await jose.importJWK(key));
}

async function offline(env = {}) {
  const { d, ...publicKey } = key;
  const lambda = await startFunction({
    ...DEV_LIVEKIT, OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: AUDIENCE, OIDC_JWKS: JSON.stringify({ keys: [publicKey] }), ...env,
  });
  running.push(lambda);
  return lambda;
}

before(async () => { key = await newKey('ES256'); });
after(() => Promise.all(running.map((lambda) => lambda.stop())));

describe('tokens in the server SDK', () => {
  const ALICE = { identity: 'alice@example.com', name: 'Alice Ångström' };
  const MANY = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`key.${index}`, `${index}`]));
  const requests = [
    ['an empty request', {}, {}],
    ['a room', { room_name: 'standup' }, { room: 'standup' }],
    ['a room with every kind of character', { room_name: 'Größe/空間:#?&=%20 😀' }, { room: 'Größe/空間:#?&=%20 😀' }],
    ['a room of 256 bytes', { room_name: 'r'.repeat(256) }, { room: 'r'.repeat(256) }],
    ['metadata', { participant_metadata: '{"a":"\\"quoted\\""}' }, { metadata: '{"a":"\\"quoted\\""}' }],
    ['sixty-four attributes', { participant_attributes: MANY }, { attributes: MANY }],
    ['camelCase', { roomName: 'standup', participantMetadata: 'm' }, { room: 'standup', metadata: 'm' }],
    ['an empty room config', { room_config: {} }, {}],
    ['an agent without a name', { room_config: { agents: [{}] } }, {}],
    ['unknown fields', { room_name: 'standup', color: 'red', room_config: { someday: 1 } }, { room: 'standup' }],
  ];
  let lambda;
  before(async () => { lambda = await offline(); });

  for (const [what, body, expected] of requests) {
    test(what, async () => {
      await judge(await lambda.invoke(tokenEvent(await bearer('alice'), body)), { ...ALICE, ...expected });
    });
  }

  test('the same person has the same color in every room', async () => {
    const color = async (room) => {
      const answer = await lambda.invoke(tokenEvent(await bearer('alice'), { room_name: room }));
      return (await judge(answer, { ...ALICE, room })).attributes.color;
    };
    assert.equal(await color('one'), await color('two'));
  });

  test('server SDK rejects a tampered token and another key', async () => {
    const answer = await lambda.invoke(tokenEvent(await bearer('alice')));
    const [head, body, signature] = answer.json.participant_token.split('.');
    const claims = { ...JSON.parse(Buffer.from(body, 'base64url')), sub: 'bob@example.com' };
    const forged = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
    await assert.rejects(new TokenVerifier('devkey', 'secret').verify(forged));
    await assert.rejects(new TokenVerifier('otherkey', 'secret').verify(answer.json.participant_token));
  });
});

test('token has sub as identity, a longer lifetime and a random color', async () => {
  const lambda = await offline({ PARTICIPANT_IDENTITY: 'sub', TOKEN_TTL_SECONDS: '3600', PRESENCE_COLOR: 'random' });
  const colors = new Set();
  for (let draw = 0; draw < 40; draw += 1) {
    const answer = await lambda.invoke(tokenEvent(await bearer('alice')));
    const claims = await judge(answer, { identity: 'alice', name: 'Alice Ångström', ttl: 3600 });
    colors.add(claims.attributes.color);
  }
  assert.ok(colors.size > 1 && colors.size <= PALETTE.length, `${colors.size} colors in 40 draws`);
});

test('token of a separate device has its identity', async () => {
  const lambda = await offline({ PARTICIPANT_DEVICES: 'true' });
  const answer = await lambda.invoke(tokenEvent(await bearer('alice'), { participant_identity: 'alice@example.com:phone-2' }));
  await judge(answer, { identity: 'alice@example.com:phone-2', name: 'Alice Ångström' });
});

test('room config that the protocol package writes with all defaults requests its agent alone', async () => {
  const lambda = await offline({ POLICY: '[[allow]]\nrooms = ["*"]\nrole = "participant"\nagents = ["tutor"]\n' });
  const tutor = { agentName: 'tutor', metadata: '{"lang":"de"}' };
  for (const egress of [undefined, new RoomEgress()]) {
    const room_config = new RoomConfiguration({ agents: [new RoomAgentDispatch(tutor)], egress });
    const written = JSON.stringify({ room_name: 'standup', room_config });
    assert.match(written, /"restartPolicy":"JRP_ON_FAILURE"/);
    const answer = await lambda.invoke(tokenEvent(await bearer('alice'), JSON.parse(written)));
    const claims = await judge(answer, { identity: 'alice@example.com', name: 'Alice Ångström', room: 'standup' });
    assert.deepEqual(claims.roomConfig, { agents: [tutor] });
  }
  const never = new RoomAgentDispatch({ ...tutor, restartPolicy: JobRestartPolicy.JRP_NEVER });
  const body = JSON.parse(JSON.stringify({ room_config: new RoomConfiguration({ agents: [never] }) }));
  const answer = await lambda.invoke(tokenEvent(await bearer('alice'), body));
  assert.equal(answer.status, 403);
  assert.match(answer.json.detail, /restart_policy/);
});
