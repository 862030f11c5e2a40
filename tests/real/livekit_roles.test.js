// A LiveKit server enforces the role of the policy for publishing, sending and renaming, and roles that change during a call.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { TrackSource } from '@livekit/protocol';
import { decodeJwt } from 'jose';
import { DataPacket_Kind } from 'livekit-server-sdk';
import { FUNCTION_URL, event, tokenEvent } from './support/lambda.js';
import { person, startMeeting } from './support/meeting.js';
import { startMoto } from './support/moto.js';
import { eventually } from './support/processes.js';

const POLICY = `
[[allow]]
when = { seat = "host" }
rooms = ["*"]
role = "host"

[[allow]]
when = { seat = "moderator" }
rooms = ["*"]
role = "moderator"

[[allow]]
when = { seat = "viewer" }
rooms = ["*"]
role = "viewer"

[[allow]]
when = { seat = "speaker" }
rooms = ["*"]
role = "speaker"

[[allow]]
when = { seat = "editor" }
rooms = ["*"]
role = "editor"

[[allow]]
when = { seat = "announcer" }
rooms = ["*"]
role = "announcer"

[[allow]]
rooms = ["*"]
role = "participant"

[roles.speaker]
can_publish_sources = ["microphone"]

[roles.editor]
can_publish = false
can_update_own_metadata = true

[roles.announcer]
can_subscribe = false
can_publish_data = false
can_publish_sources = ["microphone", "screen_share"]
can_subscribe_metrics = true
can_manage_agent_session = true
`;
const KIND = { microphone: 'AUDIO', screen_share_audio: 'AUDIO', camera: 'VIDEO', screen_share: 'VIDEO' };

let meeting;
before(async () => { meeting = await startMeeting({ policy: POLICY }); });
afterEach(() => meeting.clear());
after(() => meeting?.stop());

/** Joins a participant with the role, and a second one that watches, in a separate room. */
async function meet(role, room) {
  const watcher = await meeting.join(person('watcher'), { room_name: room });
  const somebody = await meeting.join(person(role, { seat: role }), { room_name: room });
  return { watcher, somebody };
}

const listed = (room, identity) => meeting.livekit.rooms.getParticipant(room, identity);

describe('permissions on the server', () => {
  const nothing = {
    canPublish: false,
    canPublishData: false,
    canUpdateMetadata: false,
    canSubscribeMetrics: false,
    canManageAgentSession: false,
  };
  const everything = { ...nothing, canPublish: true, canPublishData: true };
  const roles = {
    host: everything,
    moderator: everything,
    participant: everything,
    viewer: nothing,
    speaker: { ...everything, canPublishSources: ['MICROPHONE'] },
    editor: { ...nothing, canUpdateMetadata: true },
    announcer: {
      ...everything,
      canSubscribe: false,
      canPublishData: false,
      canPublishSources: ['MICROPHONE', 'SCREEN_SHARE'],
      canSubscribeMetrics: true,
      canManageAgentSession: true,
    },
  };
  for (const [role, expected] of Object.entries(roles)) {
    test(role, async () => {
      await meet(role, `read ${role}`);
      const { permission } = await listed(`read ${role}`, `${role}@example.com`);
      const { canPublishSources, hidden, recorder, agent, ...rest } = permission;
      assert.deepEqual({ ...rest, canPublishSources: canPublishSources.map((source) => TrackSource[source]) }, {
        canSubscribe: true, canPublishSources: [], ...expected,
      });
      assert.deepEqual([hidden, recorder, agent], [false, false, false]);
    });
  }
});

describe('publishing', () => {
  const roles = [
    ['host', ['microphone', 'camera'], []],
    ['moderator', ['microphone', 'camera'], []],
    ['participant', ['microphone', 'camera', 'screen_share'], []],
    ['speaker', ['microphone'], ['camera', 'screen_share', 'screen_share_audio']],
    ['viewer', [], ['microphone', 'camera', 'screen_share']],
    ['editor', [], ['microphone']],
  ];
  for (const [role, accepted, refused] of roles) {
    test(`${role}: ${accepted.join(', ') || 'nothing'}; refused: ${refused.join(', ') || 'nothing'}`, async () => {
      const room = `publish ${role}`;
      const { watcher, somebody } = await meet(role, room);
      for (const source of accepted) {
        await somebody.publish(source);
        await watcher.sees({ event: 'media', identity: somebody.identity, source });
      }
      // The server logs the rejection immediately, while the client waits for a response that never arrives.
      const attempts = refused.map(async (source) => {
        await somebody.publish(source).catch(() => new Promise(() => {}));
        throw new Error(`${role} published ${source}`);
      });
      for (const kind of new Set(refused.map((source) => KIND[source]))) {
        const refusal = { msg: 'no permission to publish track', room, participant: somebody.identity, kind };
        const count = refused.filter((source) => KIND[source] === kind).length;
        await Promise.race([meeting.livekit.says(refusal, count), ...attempts]);
      }
      const { tracks } = await listed(room, somebody.identity);
      assert.deepEqual(tracks.map(({ source }) => TrackSource[source].toLowerCase()).sort(), [...accepted].sort());
    });
  }
});

test('participant without permission to subscribe receives no tracks', async () => {
  const room = 'subscribe';
  const { watcher, somebody: deaf } = await meet('announcer', room);
  const other = await meeting.join(person('ada'), { room_name: room });
  for (const source of ['microphone', 'camera']) {
    await other.publish(source);
    await watcher.sees({ event: 'media', identity: other.identity, source });
  }
  assert.equal(deaf.saw({ event: 'media' }), undefined);
  await meeting.livekit.rooms.updateParticipant(room, deaf.identity, { permission: { canSubscribe: true } });
  await deaf.sees({ event: 'media', identity: other.identity, source: 'microphone' });
});

describe('data', () => {
  /** Waits until the data channel of the watcher is open. Earlier messages are lost, so sending is repeated. */
  const hears = (watcher, text) => eventually(`the watcher hears ${text}`, async () => {
    await meeting.livekit.rooms.sendData(watcher.room, Buffer.from(text), DataPacket_Kind.RELIABLE, {});
    return watcher.saw({ event: 'data', text });
  });
  const meetAndListen = async (role, room) => {
    const { watcher, somebody } = await meet(role, room);
    await hears(watcher, 'listen');
    return { watcher, somebody };
  };

  for (const role of ['host', 'moderator', 'participant', 'speaker']) {
    test(`${role}: delivered`, async () => {
      const { watcher, somebody } = await meetAndListen(role, `data ${role}`);
      await somebody.send('hello');
      await watcher.sees({ event: 'data', text: 'hello' });
    });
  }
  for (const role of ['viewer', 'editor', 'announcer']) {
    test(`${role}: dropped`, async () => {
      const room = `data ${role}`;
      const { watcher, somebody } = await meetAndListen(role, room);
      await somebody.send('not allowed');
      // Long enough for the server to process the message before the next one is allowed.
      for (let time = 1; time <= 10; time += 1) await hears(watcher, `message ${time}`);
      // The channel preserves order, so the first message cannot arrive after a later one.
      await meeting.livekit.rooms.updateParticipant(room, somebody.identity, { permission: { canPublishData: true } });
      await somebody.send('allowed');
      await watcher.sees({ event: 'data', text: 'allowed' });
      assert.equal(watcher.saw({ event: 'data', text: 'not allowed' }), undefined);
    });
  }
});

describe("own name, metadata and attributes", () => {
  // The name is last, because the client repeats the known name with each change.
  const change = [{ metadata: 'new' }, { attributes: { color: '#000000', role: 'host' } }, { name: 'Somebody Else' }];

  for (const role of ['host', 'moderator', 'participant', 'viewer']) {
    test(`${role}: refused`, async () => {
      const room = `rename ${role}`;
      const { somebody } = await meet(role, room);
      const then = await listed(room, somebody.identity);
      for (const fields of change) await somebody.update(fields);
      const refusal = { error: 'update own metadata not allowed', room, participant: somebody.identity };
      await meeting.livekit.says(refusal, change.length);
      const now = await listed(room, somebody.identity);
      for (const field of ['name', 'metadata', 'attributes']) assert.deepEqual(now[field], then[field], field);
    });
  }

  test('editor: accepted', async () => {
    const room = 'rename editor';
    const { watcher, somebody } = await meet('editor', room);
    for (const fields of change) await somebody.update(fields);
    const renamed = await eventually('the new name is known', async () => {
      const now = await listed(room, somebody.identity);
      return now.name === 'Somebody Else' && now;
    });
    assert.deepEqual([renamed.metadata, renamed.attributes.color, renamed.attributes.role], ['new', '#000000', 'host']);
    assert.equal((await listed(room, watcher.identity)).name, 'Watcher');
  });
});

describe('attributes in the request to join', () => {
  // Go's URL encoding with padding.
  const base64 = Buffer.from(JSON.stringify({ color: '#000000' })).toString('base64');
  const attributes = base64.replaceAll('+', '-').replaceAll('/', '_');
  for (const [role, status] of [['participant', 401], ['host', 401], ['editor', 200]]) {
    test(`${role}: ${status}`, async () => {
      const token = await meeting.token(person(role, { seat: role }), { room_name: 'attributes' });
      const validate = async (query) => {
        const parameters = new URLSearchParams({ access_token: token, ...query });
        return (await fetch(`${meeting.livekit.httpUrl}/rtc/validate?${parameters}`)).status;
      };
      assert.equal(await validate({}), 200);
      assert.equal(await validate({ attributes }), status);
    });
  }
});

describe('roles during a call', () => {
  const hostOf = (room) => [person('host', { seat: 'host' }), room];
  /** Creates the table of the template in the DynamoDB of moto, which does not check signatures. */
  const createStateTable = async (url) => {
    const key = (name, type) => ({ AttributeName: name, KeyType: type });
    const { status } = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'DynamoDB_20120810.CreateTable',
        authorization: 'AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify({
        TableName: 'roomkey-state', BillingMode: 'PAY_PER_REQUEST', KeySchema: [key('room', 'HASH'), key('who', 'RANGE')],
        AttributeDefinitions: ['room', 'who'].map((name) => ({ AttributeName: name, AttributeType: 'S' })),
      }),
    });
    assert.equal(status, 200);
  };
  /** Sends a request of `caller` about a room. */
  const request = async (method, caller, path, body, lambda = meeting.lambda) => lambda.invoke(event({
    method, path: `/v1/rooms/${path.map(encodeURIComponent).join('/')}`, domain: FUNCTION_URL,
    headers: { authorization: `Bearer ${await meeting.bearer(caller)}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  }));
  const change = ([caller, room], identity, role, lambda) => request('PUT', caller, [room, 'participants', identity, 'role'], { role }, lambda);
  const expectStatus = (answer, status) => assert.equal(answer.status, status, `${answer.bytes}`);
  const permissionOf = async (room, identity) => JSON.parse(JSON.stringify((await listed(room, identity)).permission));

  test('changed role has the permission of a token with this role', async () => {
    const room = 'change';
    const { somebody: viewer } = await meet('viewer', room);
    const participant = await meeting.join(person('participant'), { room_name: room });
    const [asViewer, asParticipant] = [await permissionOf(room, viewer.identity), await permissionOf(room, participant.identity)];
    assert.notDeepEqual(asViewer, asParticipant);
    const answer = await change(hostOf(room), viewer.identity, 'participant');
    expectStatus(answer, 200);
    assert.deepEqual(answer.json, { identity: viewer.identity, role: 'participant' });
    assert.deepEqual(await permissionOf(room, viewer.identity), asParticipant);
    const { attributes, name } = await listed(room, viewer.identity);
    assert.deepEqual([attributes.role, name], ['participant', 'Viewer']);
    expectStatus(await change(hostOf(room), viewer.identity, 'viewer'), 200);
    assert.deepEqual(await permissionOf(room, viewer.identity), asViewer);
    expectStatus(await change(hostOf(room), viewer.identity, 'host'), 403);
    expectStatus(await change([person('participant'), room], viewer.identity, 'participant'), 403);
    expectStatus(await change(hostOf(room), 'nobody@example.com', 'viewer'), 404);
    assert.deepEqual(await permissionOf(room, viewer.identity), asViewer);
  });

  test('tracks of a participant who becomes a viewer are unpublished', async () => {
    const room = 'demotion';
    const { watcher, somebody } = await meet('participant', room);
    await somebody.publish('microphone');
    await watcher.sees({ event: 'media', identity: somebody.identity, source: 'microphone' });
    expectStatus(await change(hostOf(room), somebody.identity, 'viewer'), 200);
    await eventually('the tracks are gone', async () => (await listed(room, somebody.identity)).tracks.length === 0);
  });

  test('hand is visible to others until it is lowered or the role changes', async () => {
    const room = 'hand';
    const { somebody } = await meet('viewer', room);
    const viewer = person('viewer', { seat: 'viewer' });
    const raise = (raised) => request('PUT', viewer, [room, 'hand'], { raised });
    const hand = async () => (await listed(room, somebody.identity)).attributes.hand_raised_at;
    expectStatus(await raise(true), 204);
    assert.match(await hand(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const { participants } = (await request('GET', hostOf(room)[0], [room, 'participants'])).json;
    const shown = participants.find(({ identity }) => identity === somebody.identity);
    assert.equal(shown.hand_raised_at, await hand());
    expectStatus(await raise(false), 204);
    assert.equal(await hand(), undefined);
    expectStatus(await raise(true), 204);
    expectStatus(await change(hostOf(room), somebody.identity, 'participant'), 200);
    assert.equal(await hand(), undefined);
    expectStatus(await request('PUT', person('stranger'), [room, 'hand'], { raised: true }), 404);
  });

  test('changed role survives a rejoin with state only', async () => {
    const moto = await startMoto();
    try {
      const url = moto.env.AWS_ENDPOINT_URL_SECRETS_MANAGER;
      await createStateTable(url);
      const state = { ...moto.env, AWS_ENDPOINT_URL_DYNAMODB: url, STATE_TABLE: 'roomkey-state' };
      for (const [name, env, role] of [['without state', {}, 'viewer'], ['with state', state, 'participant']]) {
        const lambda = await meeting.startRoomkey(env);
        const { somebody } = await meet('viewer', name);
        expectStatus(await change(hostOf(name), somebody.identity, 'participant', lambda), 200);
        const bearer = await meeting.bearer(person('viewer', { seat: 'viewer' }));
        const again = await lambda.invoke(tokenEvent(bearer, { room_name: name }));
        expectStatus(again, 201);
        const rejoined = await meeting.enter(again.json.participant_token);
        const { attributes, permission } = await listed(name, rejoined.identity);
        assert.deepEqual([attributes.role, permission.canPublish], [role, role === 'participant'], name);
      }
    } finally {
      await moto.stop();
    }
  });

  test('list has exactly the fields of the documentation', async () => {
    const room = 'list';
    const { somebody } = await meet('participant', room);
    await somebody.publish('camera');
    await eventually('the server has the track', async () => (await listed(room, somebody.identity)).tracks.length === 1);
    const answer = await request('GET', person('moderator', { seat: 'moderator' }), [room, 'participants']);
    expectStatus(answer, 200);
    assert.deepEqual(answer.json.participants.map(({ identity }) => identity).sort(), await meeting.present(room));
    const { color, joined_at: joinedAt, ...shown } = answer.json.participants.find(({ identity }) => identity === somebody.identity);
    assert.match(color, /^#[0-9A-Fa-f]{6}$/);
    assert.ok(Math.abs(Date.parse(joinedAt) - Date.now()) < 60_000, joinedAt);
    assert.deepEqual(shown, {
      identity: somebody.identity, name: 'Participant', role: 'participant', hand_raised_at: null, tracks: [{ source: 'camera', muted: false }],
    });
    const empty = await request('GET', hostOf(room)[0], ['nobody was here', 'participants']);
    assert.deepEqual([empty.status, empty.json], [200, { participants: [] }]);
    expectStatus(await request('GET', person('participant'), [room, 'participants']), 403);
  });

  test('end disconnects everyone, and an absent room is 204', async () => {
    const room = 'end';
    const { watcher, somebody } = await meet('participant', room);
    expectStatus(await request('DELETE', person('moderator', { seat: 'moderator' }), [room]), 403);
    expectStatus(await request('DELETE', hostOf(room)[0], [room]), 204);
    for (const who of [watcher, somebody]) await who.sees({ event: 'disconnected', reason: 'ROOM_DELETED' });
    assert.deepEqual(await meeting.livekit.rooms.listRooms([room]), []);
    expectStatus(await request('DELETE', hostOf(room)[0], [room]), 204);
    expectStatus(await request('DELETE', hostOf(room)[0], ['nobody was here']), 204);
  });
});
