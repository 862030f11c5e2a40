// A LiveKit server applies the room settings of roomkey's tokens: limits, agents and name.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { person, startMeeting } from './support/meeting.js';

const POLICY = `
[[allow]]
rooms = ["fixed:*"]
role = "participant"
[allow.room_config]
max_participants = 3
empty_timeout = 111
departure_timeout = 7
metadata = '{"kind":"webinar"}'
agents = [{ agent_name = "notes", metadata = "minutes" }, { agent_name = "captions" }]

[[allow]]
rooms = ["pair:*"]
role = "pair"

[[allow]]
rooms = ["ask:*"]
role = "participant"
agents = ["support-*"]
deployments = ["staging"]
allow_room_config = { max_participants = 50, empty_timeout = 600, departure_timeout = 60, metadata = 12 }

[[allow]]
rooms = ["*"]
role = "participant"

[roles.pair]
max_participants = 2
room_config = { empty_timeout = 222 }
`;
const ADA = person('ada');
const DEFAULTS = { maxParticipants: 0, emptyTimeout: 300, departureTimeout: 20, metadata: '' };
const DEFAULT_AGENT = [['', '', '']];

let meeting;
before(async () => { meeting = await startMeeting({ policy: POLICY }); });
afterEach(() => meeting.clear());
after(() => meeting?.stop());

/** Returns the room as reported by the server. */
async function made(name) {
  const [room] = await meeting.livekit.rooms.listRooms([name]);
  const { maxParticipants, emptyTimeout, departureTimeout, metadata } = room;
  const dispatches = await meeting.livekit.dispatches.listDispatch(name);
  return {
    config: { maxParticipants, emptyTimeout, departureTimeout, metadata },
    agents: dispatches.map((agent) => [agent.agentName, agent.metadata, agent.deployment]).sort(),
  };
}

describe('settings of the policy and the client', () => {
  const FIXED = { maxParticipants: 3, emptyTimeout: 111, departureTimeout: 7, metadata: '{"kind":"webinar"}' };
  const EVERYBODYS = [['captions', '', ''], ['notes', 'minutes', '']];
  const rows = [
    ['nothing', 'plain', undefined, {}, DEFAULT_AGENT],
    ['a rule', 'fixed:one', undefined, FIXED, EVERYBODYS],
    ['a role', 'pair:one', undefined, { maxParticipants: 2, emptyTimeout: 222 }, DEFAULT_AGENT],
    ['a client, below the caps', 'ask:below', {
      max_participants: 4, empty_timeout: 33, departure_timeout: 5, metadata: 'hello',
    }, { maxParticipants: 4, emptyTimeout: 33, departureTimeout: 5, metadata: 'hello' }, DEFAULT_AGENT],
    ['a client, at the caps', 'ask:at', {
      max_participants: 50, empty_timeout: 600, departure_timeout: 60, metadata: '12 bytes ...',
    }, { maxParticipants: 50, emptyTimeout: 600, departureTimeout: 60, metadata: '12 bytes ...' }, DEFAULT_AGENT],
    ['a client, one field', 'ask:some', { max_participants: 4 }, { maxParticipants: 4 }, DEFAULT_AGENT],
    ['a client, what the rule says anyway', 'fixed:same', { max_participants: 3 }, FIXED, EVERYBODYS],
    ['a client, an agent', 'ask:agent', {
      agents: [{ agent_name: 'support-de', metadata: 'order 7', deployment: 'staging' }],
    }, {}, [['support-de', 'order 7', 'staging']]],
    ['a client, the default agent', 'plain agent', { agents: [{ metadata: 'order 7' }] }, {}, [['', 'order 7', '']]],
    ['a client, an agent of no name', 'plain empty', { agents: [{}] }, {}, DEFAULT_AGENT],
  ];
  for (const [who, room, wish, config, agents] of rows) {
    test(who, async () => {
      await meeting.join(ADA, { room_name: room, ...(wish && { room_config: wish }) });
      assert.deepEqual(await made(room), { config: { ...DEFAULTS, ...config }, agents });
    });
  }
});

describe('rejected settings of the client', () => {
  const rows = [
    ['more people than the cap', 'ask:no', { max_participants: 51 }, 'field_not_allowed'],
    ['no limit at all', 'ask:no', { max_participants: 4294967295 }, 'field_not_allowed'],
    ['a longer empty timeout', 'ask:no', { empty_timeout: 601 }, 'field_not_allowed'],
    ['a longer departure timeout', 'ask:no', { departure_timeout: 61 }, 'field_not_allowed'],
    ['more metadata', 'ask:no', { metadata: '13 bytes ....' }, 'field_not_allowed'],
    ['a limit that is not listed', 'no', { max_participants: 2 }, 'field_not_allowed'],
    ["another limit than the rule's", 'fixed:no', { max_participants: 2 }, 'field_not_allowed'],
    ['a recording', 'ask:no', { egress: { room: { file_outputs: [{ filepath: '/tmp/x.mp4' }] } } }, 'field_not_allowed'],
    ['an agent that is not listed', 'ask:no', { agents: [{ agent_name: 'sales' }] }, 'agent_not_allowed'],
    ['a deployment that is not listed', 'ask:no', { agents: [{ agent_name: 'support-de', deployment: 'canary' }] }, 'agent_not_allowed'],
    ['an agent where none is listed', 'no', { agents: [{ agent_name: 'support-de' }] }, 'agent_not_allowed'],
  ];
  for (const [what, room, wish, code] of rows) {
    test(what, async () => {
      const answer = await meeting.ask(ADA, { room_name: room, room_config: wish });
      assert.deepEqual([answer.status, answer.json.code], [403, code], `${answer.bytes}`);
      assert.deepEqual(await meeting.livekit.rooms.listRooms([room]), []);
    });
  }
});

test('last participant cannot join a full room', async () => {
  const room = 'pair:full';
  for (const who of [ADA, person('ben')]) await meeting.join(who, { room_name: room });
  await assert.rejects(meeting.join(person('eve'), { room_name: room }));
  await meeting.livekit.says({ room, participant: 'eve@example.com', error: 'room has exceeded its max participants' });
  assert.deepEqual(await meeting.present(room), ['ada@example.com', 'ben@example.com']);
});

describe('names of rooms', () => {
  const names = [
    'a/b', 'a//b', '/a', '../a', './a', '.', '..', 'a/../b', 'a%2Fb', 'a%2fb', 'a%252Fb', '%', '%00', 'a+b', 'a b', ' a', 'a ',
    'a', 'A', '\uff41', '\u0430', 'a\u00a0b', 'a?b=c&room=d', 'a#b', 'a:b', 'a;b', "a'b\"c", 'a\\b', 'a*b', '{a}',
    'Größe', 'Gro\u0308ße', '空間 😀', '🙂'.repeat(64), 'r'.repeat(256),
  ];
  test(`${names.length} different names result in as many rooms`, async () => {
    const others = (await meeting.livekit.rooms.listRooms()).map((room) => room.name);
    for (const name of names) {
      const somebody = await meeting.join(ADA, { room_name: name });
      assert.equal(somebody.room, name);
      const rooms = (await meeting.livekit.rooms.listRooms()).map((room) => room.name);
      const sofar = names.slice(0, names.indexOf(name) + 1);
      assert.deepEqual(rooms.filter((room) => !others.includes(room)).sort(), sofar.sort(), name);
      assert.deepEqual(await meeting.present(name), [somebody.identity]);
    }
  });
});

describe('rooms of a token', () => {
  /** Requests a signaling connection like a client, with a custom query. */
  const signal = (query) => new Promise((resolve, reject) => {
    const url = `${meeting.livekit.httpUrl}/rtc?${new URLSearchParams(query)}`;
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    request(url, { headers })
      .on('upgrade', (response, socket) => resolve({ status: response.statusCode, close: () => socket.destroy() }))
      .on('response', (response) => resolve({ status: response.statusCode, close: () => response.resume() }))
      .on('error', reject)
      .end();
  });

  test('join with another room name results in the room of the token', async () => {
    const access_token = await meeting.token(ADA, { room_name: 'own' });
    const { status, close } = await signal({ access_token, room: 'other', protocol: '15' });
    assert.equal(status, 101);
    assert.deepEqual(await meeting.present('own'), ['ada@example.com']);
    assert.deepEqual(await meeting.livekit.rooms.listRooms(['other']), []);
    close();
  });

  test('changed token is rejected', async () => {
    const [head, body, signature] = (await meeting.token(ADA, { room_name: 'own' })).split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url'));
    claims.video.room = 'other';
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    assert.equal((await signal({ access_token: forged })).status, 401);
    await assert.rejects(meeting.enter(forged), /401/);
    assert.deepEqual(await meeting.livekit.rooms.listRooms(['other']), []);
  });
});
