// Hosts and moderators mute and remove participants in a LiveKit server's rooms through roomkey.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TrackSource } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { startBrowser, startPages } from './support/browser.js';
import { block } from './support/docs.js';
import { startGateway } from './support/gateway.js';
import { FUNCTION_URL, event } from './support/lambda.js';
import { startLiveKit } from './support/livekit_server.js';
import { person, startMeeting } from './support/meeting.js';
import { eventually } from './support/processes.js';

const POLICY = `
[[allow]]
when = { seat = "host" }
rooms = ["{team}:*"]
role = "host"

[[allow]]
when = { seat = "moderator" }
rooms = ["{team}:*"]
role = "moderator"

[[allow]]
when = { seat = "steward" }
rooms = ["{team}:*"]
role = "steward"

[[allow]]
when = { seat = "editor" }
rooms = ["{team}:*"]
role = "editor"

[[allow]]
when = { team = ["red", "blue"] }
rooms = ["red:*", "blue:*"]
role = "participant"

[roles.steward]
can_moderate = true
can_publish = false

[roles.editor]
can_update_own_metadata = true
`;
/** An earlier policy, with a role that no longer exists. */
const EARLIER = `
[[allow]]
rooms = ["*"]
role = "captain"

[roles.captain]
`;

let meeting;
before(async () => { meeting = await startMeeting({ policy: POLICY }); });
after(() => meeting?.stop());

const seated = (seat, team = 'red', name = seat) => person(name, { seat, team });
const pathOf = (room, identity, end) => `/v1/rooms/${encodeURIComponent(room)}/participants/${encodeURIComponent(identity)}${end}`;

/** Sends a request of `caller` through a function URL, or through an HTTP API, which decodes the path. */
async function moderate(caller, method, room, identity, { isHttpApi = false, from = meeting, lambda = from.lambda } = {}) {
  const path = pathOf(room, identity, method === 'POST' ? '/mute' : '');
  const headers = { authorization: `Bearer ${await from.bearer(caller)}` };
  const request = isHttpApi ? { path: decodeURIComponent(path) } : { path, domain: FUNCTION_URL };
  return lambda.invoke(event({ method, headers, ...request }));
}
const mute = (caller, room, identity, options) => moderate(caller, 'POST', room, identity, options);
const remove = (caller, room, identity, options) => moderate(caller, 'DELETE', room, identity, options);

function expectDone(answer, what) {
  assert.equal(answer.status, 204, `${what}: ${answer.bytes}`);
  assert.equal(answer.bytes.length, 0, what);
  assert.equal(answer.headers['cache-control'], 'no-store', what);
}
function expectProblem(answer, status, code, what) {
  assert.deepEqual([answer.status, answer.json?.code], [status, code], `${what}: ${answer.bytes}`);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
}

const listed = (room, identity) => meeting.livekit.rooms.getParticipant(room, identity);
/** Returns the muted tracks of a participant as reported by the server. */
async function muted(room, identity) {
  const { tracks } = await listed(room, identity);
  return Object.fromEntries(tracks.map((track) => [TrackSource[track.source].toLowerCase(), track.muted]));
}

describe('mute', () => {
  const room = 'red:mute';
  let watcher;
  let victim;
  before(async () => {
    watcher = await meeting.join(seated('none', 'red', 'watcher'), { room_name: room });
    victim = await meeting.join(seated('none', 'red', 'victim'), { room_name: room });
    for (const source of ['microphone', 'camera', 'screen_share_audio']) {
      await victim.publish(source);
      await watcher.sees({ event: 'media', identity: victim.identity, source });
    }
    assert.deepEqual(await muted(room, victim.identity), { microphone: false, camera: false, screen_share_audio: false });
  });

  test('mute affects audio tracks only', async () => {
    expectDone(await mute(seated('moderator'), room, victim.identity), 'mute');
    assert.deepEqual(await muted(room, victim.identity), { microphone: true, camera: false, screen_share_audio: true });
    for (const who of [watcher, victim]) {
      for (const source of ['microphone', 'screen_share_audio']) await who.sees({ event: 'muted', identity: victim.identity, source });
    }
    assert.equal(watcher.saw({ event: 'muted', source: 'camera' }), undefined);
  });

  test('second mute has no further effect', async () => {
    expectDone(await mute(seated('moderator'), room, victim.identity), 'again');
    assert.deepEqual(await muted(room, victim.identity), { microphone: true, camera: false, screen_share_audio: true });
  });

  test('mute succeeds for a participant without tracks', async () => {
    expectDone(await mute(seated('moderator'), room, watcher.identity), 'no tracks');
  });
});

describe('remove', () => {
  const room = 'red:remove';
  test('remove ends the connection of the participant only', async () => {
    const watcher = await meeting.join(seated('none', 'red', 'watcher'), { room_name: room });
    const victim = await meeting.join(seated('none', 'red', 'victim'), { room_name: room });
    await watcher.sees({ event: 'joined', identity: victim.identity });
    expectDone(await remove(seated('moderator'), room, victim.identity), 'remove');
    await victim.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
    await watcher.sees({ event: 'left', identity: victim.identity });
    assert.equal(watcher.saw({ event: 'disconnected' }), undefined);
    assert.deepEqual(await meeting.present(room), [watcher.identity]);

    expectProblem(await remove(seated('moderator'), room, victim.identity), 404, 'participant_not_found', 'again');
    expectProblem(await mute(seated('moderator'), room, victim.identity), 404, 'participant_not_found', 'mute one who is gone');
    expectProblem(await remove(seated('host'), room, 'Watcher@example.com'), 404, 'participant_not_found', 'other capitals');
    expectProblem(await remove(seated('host'), 'red:nobody here', watcher.identity), 404, 'participant_not_found', 'no such room');
    assert.deepEqual(await meeting.present(room), [watcher.identity]);
  });

  test('removed participant can return until a claim is withdrawn', async () => {
    const somebody = seated('none', 'red', 'back');
    const token = await meeting.token(somebody, { room_name: room });
    const victim = await meeting.enter(token);
    expectDone(await remove(seated('host'), room, victim.identity), 'remove');
    await victim.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
    for (const back of [() => meeting.enter(token), () => meeting.join(somebody, { room_name: room })]) {
      assert.equal((await back()).identity, victim.identity);
      expectDone(await remove(seated('host'), room, victim.identity), 'remove again');
    }
    const { team, ...without } = somebody;
    expectProblem(await meeting.ask(without, { room_name: room }), 403, 'room_not_allowed', 'without the claim');
  });
});

describe('permissions of each role', () => {
  const room = 'red:roles';
  const seats = ['host', 'moderator', 'steward', 'participant', 'editor'];
  const people = {};
  before(async () => {
    for (const seat of seats) people[seat] = await meeting.join(seated(seat, 'red', `${seat}-there`), { room_name: room });
    const earlier = await meeting.startRoomkey({ POLICY: EARLIER });
    const bearer = await meeting.bearer(person('captain'));
    const answer = await earlier.invoke(event({
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, body: JSON.stringify({ room_name: room }),
    }));
    people.captain = await meeting.enter(answer.json.participant_token);
    const agent = new AccessToken(meeting.livekit.key, meeting.livekit.secret, { identity: 'agent-there' });
    agent.addGrant({ room, roomJoin: true });
    people.agent = await meeting.enter(await agent.toJwt());
  });

  const allowed = {
    host: ['host', 'moderator', 'steward', 'participant', 'editor', 'captain', 'agent'],
    moderator: ['moderator', 'steward', 'participant', 'editor', 'agent'],
    steward: ['moderator', 'steward', 'participant', 'editor', 'agent'],
    participant: [],
    editor: [],
  };
  for (const [seat, targets] of Object.entries(allowed)) {
    test(`${seat}: ${targets.join(', ') || 'nobody'}`, async () => {
      const then = await meeting.present(room);
      for (const [role, { identity }] of Object.entries(people)) {
        const answer = await mute(seated(seat), room, identity);
        if (targets.includes(role)) expectDone(answer, role);
        else {
          expectProblem(answer, 403, 'role_not_allowed', role);
          expectProblem(await remove(seated(seat), room, identity), 403, 'role_not_allowed', role);
        }
      }
      assert.deepEqual(await meeting.present(room), then);
    });
  }

  test('caller without permission does not learn who is present', async () => {
    expectProblem(await mute(seated('participant'), room, 'nobody'), 403, 'role_not_allowed', 'nobody');
  });

  test("host of another team's rooms is a participant here", async () => {
    expectProblem(await remove(seated('host', 'blue'), room, people.participant.identity), 403, 'role_not_allowed', 'a participant');
    expectProblem(await remove(seated('host', 'green'), room, people.participant.identity), 403, 'room_not_allowed', 'a stranger');
    for (const other of ['Red:roles', 'red%3Aroles', ' red:roles', 'blue:roles']) {
      const answer = await remove(seated('host'), other, people.participant.identity);
      assert.equal(answer.status, 403, `${other}: ${answer.bytes}`);
    }
    assert.ok((await meeting.present(room)).includes(people.participant.identity));
  });

  test('participant with editable attributes can claim the role host', async () => {
    await people.editor.update({ attributes: { role: 'host' } });
    await eventually('the server has it', async () => (await listed(room, people.editor.identity)).attributes.role === 'host');
    expectProblem(await mute(seated('moderator'), room, people.editor.identity), 403, 'role_not_allowed', 'by a moderator');
    expectDone(await mute(seated('host'), room, people.editor.identity), 'by a host');
  });

  test('moderation is rejected without a valid token', async () => {
    const path = pathOf(room, people.participant.identity, '');
    for (const [headers, code] of [[{}, 'missing_token'], [{ authorization: 'Bearer a.b.c' }, 'invalid_token']]) {
      expectProblem(await meeting.lambda.invoke(event({ method: 'DELETE', path, headers, domain: FUNCTION_URL })), 401, code, code);
    }
    const late = await meeting.bearer(seated('host'), Math.floor(Date.now() / 1000) - 1000);
    const headers = { authorization: `Bearer ${late}` };
    expectProblem(await meeting.lambda.invoke(event({ method: 'DELETE', path, headers, domain: FUNCTION_URL })), 401, 'token_expired', 'late');
    assert.ok((await meeting.present(room)).includes(people.participant.identity));
  });
});

describe('names in the path', () => {
  const names = [
    'two words', '50%', '50%25', 'a%2Fb', 'größe 空間 😀', 'a+b&c=d', 'a#b', '...', '%', 'mute', 'token', '"<{|}>"', 'ada@example.com:phone',
  ];
  /** Names that a decoded path cannot contain. */
  const onlyEncoded = ['a/b', '/', 'a?b', '../../token'];
  let bySub;
  before(async () => { bySub = await meeting.startRoomkey({ PARTICIPANT_IDENTITY: 'sub' }); });

  async function check(name, options) {
    const room = `red:${name}`;
    const bearer = await meeting.bearer({ sub: name, team: 'red' });
    const answer = await bySub.invoke(event({
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, body: JSON.stringify({ room_name: room }),
    }));
    assert.equal(answer.status, 201, `${answer.bytes}`);
    const somebody = await meeting.enter(answer.json.participant_token);
    assert.deepEqual([somebody.room, somebody.identity], [room, name]);
    expectDone(await mute(seated('moderator'), room, name, options), 'mute');
    expectDone(await remove(seated('moderator'), room, name, options), 'remove');
    await somebody.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
  }
  for (const name of names) {
    test(name, async () => {
      await check(name, { isHttpApi: false });
      await check(name, { isHttpApi: true });
    });
  }
  for (const name of onlyEncoded) test(`${name} is supported by a function URL only`, () => check(name, { isHttpApi: false }));

  for (const name of ['.', '..']) {
    test(`${name} is rejected as a name`, async () => {
      for (const ask of [mute, remove]) {
        for (const isHttpApi of [false, true]) {
          const { status } = await ask(seated('host'), 'red:dots', name, { isHttpApi });
          assert.ok([400, 404, 405].includes(status), `${name}: ${status}`);
        }
      }
    });
  }
});

test("code of the documentation works in a page on another origin", async () => {
  const room = 'red:page';
  const pages = await startPages();
  const lambda = await meeting.startRoomkey({ ALLOWED_ORIGINS: pages.origin });
  const gateway = await startGateway(lambda);
  const browser = await startBrowser();
  try {
    const victim = await meeting.join(seated('none', 'red', 'victim of the page'), { room_name: room });
    await victim.publish('microphone');
    await eventually('the server has the track', async () => 'microphone' in await muted(room, victim.identity));
    const page = await browser.visit(pages.origin);
    const code = block('moderation', 'js', 'export const mute').replaceAll('https://api.example.com', gateway.url);
    const run = async (caller, what) => page.evaluate(async ([source, accessToken, name, names]) => {
      window.session = { accessToken };
      const module = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
      return module[name](...names).then(() => 'done', (error) => error.message);
    }, [code, await meeting.bearer(caller), what, [room, victim.identity]]);

    assert.equal(await run(seated('participant'), 'mute'), 'role_not_allowed');
    assert.equal(await run(seated('moderator'), 'mute'), 'done');
    assert.deepEqual(await muted(room, victim.identity), { microphone: true });
    assert.equal(await run(seated('moderator'), 'remove'), 'done');
    await victim.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
    assert.equal(await run(seated('moderator'), 'remove'), 'participant_not_found');
    assert.ok(gateway.seen.some(({ method }) => method === 'OPTIONS'), 'the browser asked first');
  } finally {
    await browser.stop();
    await gateway.stop();
    pages.stop();
  }
});

test("outage of the server results in 503 and ends with the server's return", async () => {
  const other = await startMeeting({ policy: POLICY });
  let again;
  try {
    const room = 'red:restart';
    const join = () => other.join(seated('none', 'red', 'victim'), { room_name: room });
    const ask = (victim) => remove(seated('moderator'), room, victim.identity, { from: other });
    const victim = await join();
    await other.livekit.stop();
    const answer = await ask(victim);
    expectProblem(answer, 503, 'unavailable', 'down');
    const wait = Number(answer.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 30, answer.headers['retry-after']);

    again = await startLiveKit({ port: Number(new URL(other.livekit.url).port) });
    expectProblem(await remove(seated('moderator'), room, 'nobody', { from: other }), 404, 'participant_not_found', 'empty');
    const back = await join();
    expectDone(await ask(back), 'back');
    await back.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
  } finally {
    await again?.stop();
    await other.stop();
  }
});
