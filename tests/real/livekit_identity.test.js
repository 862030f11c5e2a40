// Participants in a LiveKit server's room: the person of the token, in one or several tabs, while it is valid.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { ParticipantInfo_Kind } from '@livekit/protocol';
import { PALETTE } from './support/judge.js';
import { tokenEvent } from './support/lambda.js';
import { person, startMeeting } from './support/meeting.js';
import { work } from './support/processes.js';

const POLICY = `
[[allow]]
when = { seat = "viewer" }
rooms = ["*"]
role = "viewer"

[[allow]]
rooms = ["{org_id}/*"]
role = "participant"
attributes = { org = "{org_id}", "app.plan" = "{app_metadata.plan}", source = "web" }

[[allow]]
rooms = ["acme:*"]
role = "short"

[[allow]]
rooms = ["*"]
role = "participant"

[roles.short]
ttl_seconds = 120
`;
const PICTURE = 'https://cdn.example.com/ada.png';
const ADA = person('ada', { name: 'Ada Ångström 😀', picture: PICTURE });

let meeting;
before(async () => { meeting = await startMeeting({ policy: POLICY, env: { PARTICIPANT_DEVICES: 'true' } }); });
afterEach(() => meeting.clear());
after(() => meeting?.stop());

describe('participants in RoomService', () => {
  const rows = [
    ['name, picture, color, role', ADA, {}, { name: ADA.name, attributes: { role: 'participant', imageUrl: PICTURE } }],
    ['metadata and attributes of the client', ADA, {
      participant_metadata: '{"seat":4}',
      participant_attributes: { team: 'blue', 'app.mood': 'größe 😀' },
    }, {
      name: ADA.name,
      metadata: '{"seat":4}',
      attributes: { role: 'participant', imageUrl: PICTURE, team: 'blue', 'app.mood': 'größe 😀' },
    }],
    ['no picture', person('ben'), {}, { name: 'Ben', attributes: { role: 'participant' } }],
    ['no name', person('cem', { name: undefined }), {}, { name: 'Unnamed User', attributes: { role: 'participant' } }],
    ['a viewer', person('vic', { seat: 'viewer' }), {}, { name: 'Vic', attributes: { role: 'viewer' } }],
  ];
  for (const [what, who, body, expected] of rows) {
    test(what, async () => {
      await meeting.join(who, { room_name: what, ...body });
      const [{ identity, name, metadata, attributes, kind }] = await meeting.livekit.rooms.listParticipants(what);
      const { color, ...rest } = attributes;
      assert.deepEqual({ name, metadata, attributes: rest }, {
        metadata: '', ...expected, attributes: { identity: who.email, ...expected.attributes },
      });
      assert.equal(identity, who.email);
      assert.ok(PALETTE.includes(color), color);
      assert.equal(kind, ParticipantInfo_Kind.STANDARD);
    });
  }

  test('participant without a requested room joins a new room', async () => {
    const [ada, ben] = [await meeting.join(ADA), await meeting.join(person('ben'))];
    for (const { room, identity } of [ada, ben]) {
      assert.match(room, /room-\S{20,}$/);
      assert.deepEqual(await meeting.present(room), [identity]);
    }
    assert.notEqual(ada.room, ben.room);
  });
});

describe('largest values', () => {
  test('server accepts a token just below MAX_TOKEN_BYTES', async () => {
    let metadata = 'm'.repeat(4096);
    let answer = { status: 413 };
    while (answer.status === 413) {
      metadata = metadata.slice(1);
      answer = await meeting.ask(ADA, { room_name: 'large', participant_metadata: metadata });
    }
    const { participant_token: token } = answer.json;
    assert.ok(token.length > 6_130 && token.length <= 6_144, `${token.length}`);
    await meeting.enter(token);
    assert.equal((await meeting.livekit.rooms.getParticipant('large', ADA.email)).metadata, metadata);
  });

  test('server accepts an identity of 256 bytes and roomkey rejects 257', async () => {
    const email = `${'e'.repeat(188)}@example.com`;
    const ask = (device) => meeting.ask(person('eve', { email }), { participant_identity: `${email}:${'d'.repeat(device)}` });
    const { identity } = await meeting.enter((await ask(55)).json.participant_token);
    assert.equal(identity.length, 256);
    assert.equal((await ask(56)).status, 400);
  });
});

describe('several tabs of one person', () => {
  const second = { room_name: 'tabs', participant_identity: `${ADA.email}:tab2` };

  test('tab as a separate device joins without ending the first', async () => {
    const tabs = [await meeting.join(ADA, { room_name: 'tabs' }), await meeting.join(ADA, second)];
    assert.deepEqual(tabs.map(({ identity }) => identity), [ADA.email, second.participant_identity]);
    const [one, two] = (await meeting.livekit.rooms.listParticipants('tabs')).map(({ attributes }) => attributes);
    assert.deepEqual([one.identity, two.identity], [ADA.email, ADA.email]);
    assert.equal(one.color, two.color);
    assert.equal(tabs[0].saw({ event: 'disconnected' }), undefined);
  });

  test('second connection of the same tab replaces the first', async () => {
    const tabs = [await meeting.join(ADA, second), await meeting.join(ADA, second)];
    await tabs[0].sees({ event: 'disconnected', reason: 'DUPLICATE_IDENTITY' });
    assert.deepEqual(await meeting.present('tabs'), [second.participant_identity]);
  });

  test('participant with a similar identity replaces nobody else', async () => {
    const ada = await meeting.join(ADA, { room_name: 'tabs' });
    for (const participant_identity of [ADA.email, `${ADA.email}:tab2`, ADA.email.toUpperCase()]) {
      const answer = await meeting.ask(person('eve'), { room_name: 'tabs', participant_identity });
      assert.deepEqual([answer.status, answer.json.code], [403, 'field_not_allowed'], participant_identity);
    }
    // The server compares identities as strings, so this is a separate participant as well.
    await meeting.join(person('eve'), { room_name: 'tabs', participant_identity: 'eve@example.com:ada' });
    assert.deepEqual(await meeting.present('tabs'), [ADA.email, 'eve@example.com:ada']);
    assert.equal(ada.saw({ event: 'disconnected' }), undefined);
  });
});

describe('lifetime of tokens', () => {
  // The function's clock is shifted by these seconds, which sets the age of its tokens. The server has a leeway of one minute.
  const rows = [
    ['just issued', 0, 'old', undefined],
    ['old, still valid', -500, 'old', undefined],
    ['past, within the minute', -630, 'old', undefined],
    ['expired', -670, 'old', /token is expired/],
    ["of a role's shorter life, still valid", -100, 'acme:old', undefined],
    ["of a role's shorter life, expired", -190, 'acme:old', /token is expired/],
    ['of tomorrow', 86_400, 'old', /token is not valid yet/],
  ];
  for (const [what, seconds, room, refusal] of rows) {
    test(what, async () => {
      const FAKETIME = `${seconds < 0 ? '' : '+'}${seconds}s`;
      const lambda = await meeting.startRoomkey({ LD_PRELOAD: `${work}/libfaketime.so.1`, FAKETIME });
      const then = Math.floor(Date.now() / 1000) + seconds;
      const answer = await lambda.invoke(tokenEvent(await meeting.bearer(ADA, then), { room_name: room }));
      assert.equal(answer.status, 201, `${answer.bytes}`);
      const entering = meeting.enter(answer.json.participant_token);
      if (refusal) await assert.rejects(entering, refusal);
      else assert.equal((await entering).identity, ADA.email);
    });
  }
});

describe('spellings of one address', () => {
  const room_name = 'spellings';
  const spelled = (email) => ({ ...ADA, email });
  const attributes = async () => (await meeting.livekit.rooms.listParticipants(room_name)).map((one) => one.attributes);

  test('each spelling replaces the connection of the one before', async () => {
    let before = await meeting.join(ADA, { room_name });
    const [{ color }] = await attributes();
    for (const email of ['Ada@Example.com', 'ADA@EXAMPLE.COM', ' ada@example.com', 'ada@example.com ', '\tAda@example.COM\r\n']) {
      const next = await meeting.join(spelled(email), { room_name });
      await before.sees({ event: 'disconnected', reason: 'DUPLICATE_IDENTITY' });
      assert.deepEqual(await meeting.present(room_name), [ADA.email], JSON.stringify(email));
      const [now] = await attributes();
      assert.deepEqual([now.color, now.identity], [color, ADA.email]);
      before = next;
    }
  });

  test('device of another spelling is a device of the same person', async () => {
    const phone = { room_name, participant_identity: `${ADA.email}:phone` };
    await meeting.join(ADA, { room_name });
    const first = await meeting.join(ADA, phone);
    await meeting.join(spelled('ADA@example.com '), phone);
    await first.sees({ event: 'disconnected', reason: 'DUPLICATE_IDENTITY' });
    assert.deepEqual(await meeting.present(room_name), [ADA.email, `${ADA.email}:phone`]);
    const [one, two] = await attributes();
    assert.deepEqual([one.identity, one.color], [two.identity, two.color]);
  });

  test('addresses that differ in more than ASCII case are two participants', async () => {
    const emails = ['zo\u00eb@example.com', 'ZO\u00cb@example.com', 'zoe@example.com', 'z.oe@example.com'];
    for (const email of emails) await meeting.join(person('zoe', { email }), { room_name });
    const present = ['zo\u00eb@example.com', 'zo\u00cb@example.com', 'zoe@example.com', 'z.oe@example.com'];
    assert.deepEqual(await meeting.present(room_name), present.sort());
  });
});

describe('devices of a subject with colons', () => {
  const room_name = 'subjects';
  let lambda;
  before(async () => { lambda = await meeting.startRoomkey({ PARTICIPANT_IDENTITY: 'sub' }); });
  const ask = async (sub, participant_identity) => {
    const body = { room_name, ...(participant_identity && { participant_identity }) };
    return lambda.invoke(tokenEvent(await meeting.bearer(person(sub)), body));
  };
  const enter = async (...question) => meeting.enter((await ask(...question)).json.participant_token);

  test('no device of one person is another person', async () => {
    const alice = await enter('f:1234:alice');
    const others = [await enter('f:1234'), await enter('f:1234', 'f%3A1234:alice'), await enter('f', 'f:1234'), await enter('f%3A1234')];
    const identities = [alice, ...others].map(({ identity }) => identity);
    assert.deepEqual(identities, ['f%3A1234%3Aalice', 'f%3A1234', 'f%3A1234:alice', 'f:1234', 'f%253A1234']);
    assert.deepEqual(await meeting.present(room_name), identities.sort());
    for (const one of [alice, ...others]) assert.equal(one.saw({ event: 'disconnected' }), undefined, one.identity);
  });

  test('identity of another person is rejected as a device', async () => {
    for (const [sub, identity] of [
      ['f:1234', 'f:1234:alice'], ['f:1234', 'f%3A1234%3Aalice'], ['f', 'f:1234:alice'], ['f', 'f%3A1234'], ['f%3A1234', 'f%3A1234'],
    ]) {
      const answer = await ask(sub, identity);
      assert.deepEqual([answer.status, answer.json.code], [403, 'field_not_allowed'], `${sub} ${identity}`);
    }
  });
});

describe('attributes of a rule', () => {
  const cat = person('cat', { org_id: 'acme', app_metadata: { plan: 'größe "XL"' } });
  const room_name = 'acme/board';

  test('other participants see them beside those of the client', async () => {
    const ben = await meeting.join(person('ben', { org_id: 'acme', app_metadata: { plan: 'free' } }), { room_name });
    await meeting.join(cat, { room_name, participant_attributes: { team: 'blue' } });
    const { attributes } = await ben.sees({ event: 'joined', identity: cat.email });
    const { color, ...rest } = attributes;
    assert.deepEqual(rest, {
      identity: cat.email, role: 'participant', org: 'acme', 'app.plan': 'größe "XL"', source: 'web', team: 'blue',
    });
    assert.ok(PALETTE.includes(color), color);
    assert.deepEqual((await meeting.livekit.rooms.getParticipant(room_name, cat.email)).attributes, attributes);
  });

  test('client cannot set them, in any case', async () => {
    for (const key of ['org', 'Org', 'APP.PLAN', 'source']) {
      const answer = await meeting.ask(cat, { room_name, participant_attributes: { [key]: 'globex' } });
      assert.deepEqual([answer.status, answer.json.code], [403, 'field_not_allowed'], key);
    }
  });

  test('caller without one of the claims does not join by the rule', async () => {
    for (const app_metadata of [undefined, {}, { plan: '' }, { plan: ['free'] }]) {
      const dan = await meeting.join(person('dan', { org_id: 'acme', app_metadata }), { room_name });
      const { attributes } = await meeting.livekit.rooms.getParticipant(room_name, dan.identity);
      assert.deepEqual([attributes.org, attributes.source], [undefined, undefined]);
    }
  });

  test('participant cannot change them', async () => {
    const joined = await meeting.join(cat, { room_name });
    await joined.update({ attributes: { org: 'globex' } });
    await meeting.livekit.says({ error: 'update own metadata not allowed', room: room_name, participant: cat.email });
    assert.equal((await meeting.livekit.rooms.getParticipant(room_name, cat.email)).attributes.org, 'acme');
  });
});
