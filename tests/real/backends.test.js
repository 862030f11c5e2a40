// Backends sign requests for their users' tokens with the clients of the documentation. LiveKit's server SDK checks the
// tokens, and a LiveKit server accepts them.
import assert from 'node:assert/strict';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TokenVerifier } from 'livekit-server-sdk';
import { block, blocks } from './support/docs.js';
import { startGateway } from './support/gateway.js';
import { PALETTE, judgeToken } from './support/judge.js';
import { person, startMeeting } from './support/meeting.js';
import { startMoto } from './support/moto.js';
import { eventually, output } from './support/processes.js';

const KEYS = { 'backend-1': randomUUID().repeat(2), 'backend-2': randomUUID().repeat(2) };
const POLICY = `
[[allow]]
rooms = ["*"]
role = "participant"

[roles.caller]
can_publish_sources = ["microphone"]
ttl_seconds = 61
`;
const ALICE = { roomId: 'room-abc', userId: 'user-123', name: 'Alice Ångström', role: 'participant' };
const SIX_HOURS = 21_600;

let folder;
let meeting;
let gateway;
before(async () => {
  folder = mkdtempSync(`${tmpdir()}/roomkey-clients-`);
  writeFileSync(`${folder}/roomkey.mjs`, block('backends', 'js', 'roomkey.mjs'));
  writeFileSync(`${folder}/roomkey.py`, block('backends', 'python', 'roomkey.py'));
  meeting = await startMeeting({ policy: POLICY, env: { BACKEND_API_KEYS: JSON.stringify(KEYS) } });
  gateway = await startGateway(meeting.lambda);
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await gateway?.stop();
  await meeting?.stop();
});

const environment = (key = 'backend-1', secret = KEYS[key]) => ({
  ROOMKEY_URL: gateway.url, ROOMKEY_API_KEY: key, ROOMKEY_API_SECRET: secret,
});

/** Returns a new copy of the documentation's Node client with another configuration. */
async function nodeClient(variables = environment()) {
  Object.assign(process.env, variables);
  return import(`${folder}/roomkey.mjs?${randomUUID()}`);
}

/** Runs a function of the documentation's Python client. */
async function python(name, values, variables = environment()) {
  const program = 'import json, sys, roomkey; print(json.dumps(getattr(roomkey, sys.argv[1])(*json.loads(sys.argv[2]))))';
  const env = { PATH: process.env.PATH, PYTHONPATH: folder, ...variables };
  return JSON.parse(await output('python3', ['-c', program, name, JSON.stringify(values)], { env }));
}
const values = ({ roomId, userId, name, role }) => [roomId, userId, name, role];

/** Both clients behind one interface: fetch a token, and refresh it. */
const CLIENTS = {
  Node: async (variables) => {
    const { createToken, refreshToken } = await nodeClient(variables);
    return { create: createToken, refresh: refreshToken };
  },
  Python: async (variables) => ({
    create: (participant) => python('create_token', values(participant), variables),
    refresh: (participant) => python('refresh_token', values(participant), variables),
  }),
};

const verified = (token) => new TokenVerifier(meeting.livekit.key, meeting.livekit.secret).verify(token);

/** Checks a complete response. */
async function judge(answer, participant, ttl = SIX_HOURS) {
  assert.deepEqual(Object.keys(answer).sort(), ['expiresAt', 'token', 'url']);
  assert.equal(answer.url, meeting.livekit.url);
  const claims = await verified(answer.token);
  assert.match(answer.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(Date.parse(answer.expiresAt), claims.exp * 1000);
  assert.equal(claims.exp - claims.iat, ttl);
  const { roomId, userId, name, role } = participant;
  assert.deepEqual([claims.sub, claims.name, claims.video.room, claims.attributes.role], [userId, name, roomId, role]);
  assert.ok(PALETTE.includes(claims.attributes.color), claims.attributes.color);
  return claims;
}

/** Sends a signed request, to which `change` is applied after signing. */
async function post(body, { path = '/v1/token', key = 'backend-1', timestamp = `${Math.floor(Date.now() / 1000)}`, change = {}, to = gateway } = {}) {
  const hash = createHash('sha256').update(body).digest('hex');
  const signature = createHmac('sha256', KEYS[key]).update(`POST\n${path}\n${timestamp}\n${hash}`).digest('hex');
  const headers = {
    'content-type': 'application/json', 'x-api-key': key, 'x-rtcstack-timestamp': timestamp, 'x-rtcstack-signature': `sha256=${signature}`,
    ...change.headers,
  };
  const response = await fetch(to.url + (change.path ?? path), { method: 'POST', headers, body: change.body ?? body });
  return { status: response.status, headers: response.headers, json: await response.json() };
}
const unique = (fields = {}) => JSON.stringify({ ...ALICE, ...fields, nonce: randomUUID() });

/** Checks RTCstack's form of an error with its text. */
function expectUnauthorized({ status, headers, json }, detail, what = detail) {
  assert.deepEqual([status, json.title, json.status, json.detail], [401, 'Unauthorized', 401, detail], what);
  assert.equal(json.code, 'invalid_signature');
  assert.ok(json.type.endsWith('#invalid_signature'));
  assert.equal(headers.get('content-type'), 'application/problem+json');
}

describe('worked example', () => {
  const request = block('backends', 'http', 'POST /v1/token');
  const [head, body] = request.trimEnd().split('\n\n');
  const header = (name) => head.match(new RegExp(`^${name}: (.*)$`, 'm'))[1];
  const text = blocks('backends', '').find((code) => code.startsWith('POST\n')).trimEnd();
  const [, path, timestamp] = text.split('\n');
  const secret = 'a secret of thirty-two bytes....';

  test('worked example has the text of its request', () => {
    const hash = createHash('sha256').update(body).digest('hex');
    assert.equal(text, ['POST', head.split(' ')[1], header('X-RTCstack-Timestamp'), hash].join('\n'));
  });

  test('both clients compute the signature of the worked example', async () => {
    const variables = environment('backend-1', secret);
    const { sign } = await nodeClient(variables);
    assert.equal(sign(path, timestamp, body), header('X-RTCstack-Signature'));
    const program = 'import roomkey, sys; print(roomkey.sign(*sys.argv[1:3], sys.argv[3].encode()))';
    const env = { PATH: process.env.PATH, PYTHONPATH: folder, ...variables };
    assert.equal((await output('python3', ['-c', program, path, timestamp, body], { env })).trim(), header('X-RTCstack-Signature'));
  });
});

for (const [language, start] of Object.entries(CLIENTS)) {
  describe(`the client in ${language}`, () => {
    test("client fetches and refreshes a token that LiveKit's SDK and server accept", async () => {
      const client = await start();
      const participant = { ...ALICE, roomId: `by ${language}` };
      const first = await client.create(participant);
      await judgeToken(first.token, { identity: ALICE.userId, name: ALICE.name, room: participant.roomId, ttl: SIX_HOURS });
      const claims = await judge(first, participant);
      const somebody = await meeting.enter(first.token);
      assert.deepEqual([somebody.room, somebody.identity], [participant.roomId, ALICE.userId]);

      const refreshed = await client.refresh(participant);
      const renewed = await judge(refreshed, participant);
      for (const claim of ['sub', 'name', 'video', 'attributes']) assert.deepEqual(renewed[claim], claims[claim], claim);
      assert.ok(renewed.exp >= claims.exp);
      const back = await meeting.enter(refreshed.token);
      assert.deepEqual([back.room, back.identity], [participant.roomId, ALICE.userId]);
      await somebody.sees({ event: 'disconnected', reason: 'DUPLICATE_IDENTITY' });
      const { attributes } = await meeting.livekit.rooms.getParticipant(participant.roomId, ALICE.userId);
      assert.deepEqual(attributes, renewed.attributes);
    });

    test('equal requests in one second are accepted', async () => {
      const client = await start();
      const answers = await Promise.all([client.create(ALICE), client.create(ALICE), client.create(ALICE)]);
      for (const answer of answers) await judge(answer, ALICE);
    });

    test('client reports errors', async () => {
      await assert.rejects(
        (await start(environment('backend-1', 'another secret of more than 32 bytes'))).create(ALICE),
        /roomkey: 401 invalid_signature: Invalid X-RTCstack-Signature/,
      );
      await assert.rejects((await start(environment('backend-9', KEYS['backend-1']))).create(ALICE), /Missing or invalid X-Api-Key header/);
      await assert.rejects((await start()).create({ ...ALICE, role: 'admin' }), /roomkey: 400 invalid_request: role must be a role of the policy/);
    });
  });
}

describe('roles', () => {
  const TALKS = { canPublish: true, canPublishData: true, canSubscribe: true };
  const roles = {
    host: { ...TALKS, roomAdmin: true },
    moderator: TALKS,
    participant: TALKS,
    viewer: { canPublish: false, canPublishData: false, canSubscribe: true },
    caller: { ...TALKS, canPublishSources: ['microphone'] },
  };
  for (const [role, grants] of Object.entries(roles)) {
    test(role, async () => {
      const { status, json } = await post(unique({ role }));
      assert.equal(status, 200, JSON.stringify(json));
      const { video } = await judge(json, { ...ALICE, role }, role === 'caller' ? 61 : SIX_HOURS);
      const { canPublish, canPublishData, canSubscribe, roomAdmin, canPublishSources } = video;
      const given = { canPublish, canPublishData, canSubscribe, roomAdmin, canPublishSources };
      assert.deepEqual(JSON.parse(JSON.stringify(given)), grants);
      for (const never of ['roomCreate', 'roomList', 'roomRecord', 'ingressAdmin', 'hidden', 'agent']) assert.ok(!video[never], never);
    });
  }

  test('color of a person is the same on both routes', async () => {
    const { json } = await post(unique({ userId: 'ada@example.com' }));
    const [ours, theirs] = [json.token, await meeting.token(person('ada'), { room_name: 'any' })];
    assert.equal((await verified(ours)).attributes.color, (await verified(theirs)).attributes.color);
  });

  test('metadata is a string in the token', async () => {
    const { json } = await post(unique({ metadata: { role: 'host', seat: 4 } }));
    assert.deepEqual(JSON.parse((await verified(json.token)).metadata), { role: 'host', seat: 4 });
  });
});

describe('changes after signing', () => {
  const text = 'Invalid X-RTCstack-Signature';
  const rows = {
    'another role': { body: JSON.stringify({ ...ALICE, role: 'host' }) },
    'a blank more': { body: `${JSON.stringify(ALICE)} ` },
    'another path': { path: '/v1/token/refresh' },
    'another time': { headers: { 'x-rtcstack-timestamp': `${Math.floor(Date.now() / 1000) - 7}` } },
    'another key': { headers: { 'x-api-key': 'backend-2' } },
  };
  for (const [row, change] of Object.entries(rows)) {
    test(row, async () => expectUnauthorized(await post(JSON.stringify(ALICE), { change }), text));
  }

  test("signature over an empty body is rejected, unlike on RTCstack's server", async () => {
    expectUnauthorized(await post('', { change: { body: JSON.stringify(ALICE) } }), text);
  });

  const late = 'Request timestamp too old or too far in the future (replay protection)';
  const now = Math.floor(Date.now() / 1000);
  const times = {
    never: 'never', 'not a number': 'NaN', negative: `-${now}`, 'with a fraction': `${now}.5`, 'in milliseconds': `${now}000`,
    'an hour ago': `${now - 3600}`, 'in an hour': `${now + 3600}`,
  };
  for (const [row, timestamp] of Object.entries(times)) {
    test(`the time: ${row}`, async () => expectUnauthorized(await post(JSON.stringify(ALICE), { timestamp }), late));
  }
});

test('request is accepted once per execution environment', async () => {
  const other = await meeting.startRoomkey();
  const elsewhere = await startGateway(other);
  try {
    const [body, timestamp] = [JSON.stringify(ALICE), `${Math.floor(Date.now() / 1000)}`];
    for (const to of [gateway, elsewhere]) {
      assert.equal((await post(body, { timestamp, to })).status, 200);
      expectUnauthorized(await post(body, { timestamp, to }), 'Request was received before (replay protection)');
    }
    assert.equal((await post(body, { timestamp: `${Number(timestamp) - 1}` })).status, 200, 'signed anew');
  } finally {
    await elsewhere.stop();
  }
});

// RTCstack's SDK is not in a registry, so its token handling is reproduced here.
test("token before its expiry is renewed for the same person, as by RTCstack's SDK", async () => {
  const { createToken, refreshToken } = await nodeClient();
  const alice = { ...ALICE, roomId: 'long call', role: 'caller' };
  /** The token handling of `createCall(…).connect()` (`packages/sdk/src/call.ts`). */
  const createCall = ({ token, url, tokenRefresher }) => ({
    connect: async () => {
      assert.equal(url, meeting.livekit.url);
      const { exp } = JSON.parse(atob(token.split('.')[1]));
      return meeting.enter(Date.now() >= exp * 1000 - 60_000 ? await tokenRefresher() : token);
    },
  });
  let refreshes = 0;
  const tokenRefresher = async () => {
    refreshes += 1;
    return (await refreshToken(alice)).token;
  };
  const { token, url } = await createToken(alice);
  const call = createCall({ token, url, tokenRefresher });
  const { exp } = await verified(token);
  await eventually('the token is about to expire', () => Date.now() >= exp * 1000 - 60_000, 3);
  const { room, identity } = await call.connect();
  assert.deepEqual([room, identity, refreshes], [alice.roomId, alice.userId, 1]);
  const { attributes, permission } = await meeting.livekit.rooms.getParticipant(room, identity);
  assert.equal(attributes.role, 'caller');
  assert.equal(permission.canPublishSources.length, 1);
});

describe('keys', () => {
  let moto;
  let rotating;
  const secret = (keys) => JSON.stringify({
    LIVEKIT_URL: meeting.livekit.url, LIVEKIT_API_KEY: 'devkey', LIVEKIT_API_SECRET: 'secret', BACKEND_API_KEYS: keys,
  });
  const put = (keys) => moto.ask('PutSecretValue', { SecretId: 'livekit', SecretString: secret(keys) });
  const status = async (key) => (await post(unique(), { key, to: rotating })).status;
  const turns = (key, expected) => eventually(`${key} is answered ${expected}`, async () => {
    await sleep(250);
    return await status(key) === expected;
  }, 14);
  const { 'backend-1': first, 'backend-2': second } = KEYS;

  before(async () => {
    moto = await startMoto();
    await moto.ask('CreateSecret', { Name: 'livekit', SecretString: secret({ 'backend-1': first }) });
    const lambda = await meeting.startRoomkey({
      ...moto.env, LIVEKIT_SECRET_ID: 'livekit', SECRET_TTL_SECONDS: '1', LIVEKIT_API_KEY: '', LIVEKIT_API_SECRET: '', BACKEND_API_KEYS: '',
    });
    rotating = await startGateway(lambda);
  });
  after(async () => {
    await rotating?.stop();
    await moto?.stop();
  });

  test('second key is added and the first removed without a restart or an interruption', async () => {
    assert.deepEqual([await status('backend-1'), await status('backend-2')], [200, 401]);
    await put({ 'backend-1': first, 'backend-2': second });
    await turns('backend-2', 200);
    assert.equal(await status('backend-1'), 200);
    await put(JSON.stringify({ 'backend-2': second }));
    await turns('backend-1', 401);
    assert.equal(await status('backend-2'), 200);
  });

  test('malformed keys do not replace valid ones', async () => {
    const reads = moto.reads.length;
    await put({ 'backend-2': 'short' });
    await eventually('the malformed secret was read', async () => {
      await sleep(250);
      assert.equal(await status('backend-2'), 200);
      return moto.reads.length > reads + 1;
    }, 24);
    assert.equal(await status('backend-2'), 200);
  });

  test('route does not exist without keys', async () => {
    const none = await startGateway(await meeting.startRoomkey({ BACKEND_API_KEYS: '' }));
    try {
      const { status: code, json } = await post(unique(), { to: none });
      assert.deepEqual([code, json.code], [404, 'not_found']);
    } finally {
      await none.stop();
    }
  });
});
