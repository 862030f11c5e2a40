// A LiveKit server enforces the role of the policy for publishing, sending and renaming.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { TrackSource } from '@livekit/protocol';
import { DataPacket_Kind } from 'livekit-server-sdk';
import { person, startMeeting } from './support/meeting.js';
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
