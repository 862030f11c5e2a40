// Guests enter rooms of a LiveKit server with an invitation, through LiveKit's TokenSource.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { TokenSource } from 'livekit-client';
import { startGateway } from './support/gateway.js';
import { event } from './support/lambda.js';
import { person, startMeeting } from './support/meeting.js';

const POLICY = `
[[allow]]
when = { seat = "host" }
rooms = ["*"]
role = "host"

[[allow]]
rooms = ["*"]
role = "participant"
`;
const HOST = person('host', { seat: 'host' });
const BROWSER = '0123456789abcdef0123456789abcdef';

let meeting;
let gateway;
before(async () => {
  meeting = await startMeeting({ policy: POLICY, env: { INVITATION_SECRET: 'an invitation secret of this suite' } });
  gateway = await startGateway(meeting.lambda);
});
afterEach(() => meeting.clear());
after(() => Promise.all([gateway, meeting].map((part) => part?.stop())));

/** Requests an invitation to the room `standup`. */
async function invite(caller, body) {
  return meeting.lambda.invoke(event({
    method: 'POST', path: '/v1/rooms/standup/invitations', body: JSON.stringify(body),
    headers: { authorization: `Bearer ${await meeting.bearer(caller)}`, 'content-type': 'application/json' },
  }));
}

/** Fetches a token as the guest page does. */
async function fetchToken(invitation, secret, options = {}) {
  const headers = { Authorization: `Bearer ${invitation}`, ...(secret && { 'X-Roomkey-Guest': secret }) };
  return TokenSource.endpoint(`${gateway.url}/token`, { headers }).fetch(options);
}

test('guest enters by a link and keeps the identity after a reload', async () => {
  const invited = await invite(HOST, { role: 'viewer', seconds: 600 });
  assert.equal(invited.status, 201, `${invited.bytes}`);
  const { invitation } = invited.json;
  const colors = [];
  const identities = [];
  for (const participantName of ['Grace', 'Grace Hopper']) {
    const { participantToken } = await fetchToken(invitation, BROWSER, { participantName });
    await meeting.enter(participantToken);
    const [guest, ...others] = await meeting.livekit.rooms.listParticipants('standup');
    assert.deepEqual(others, []);
    assert.equal(guest.name, participantName);
    assert.match(guest.identity, /^guest:[\w-]{22}$/);
    assert.equal(guest.permission.canPublish, false);
    const { color, ...attributes } = guest.attributes;
    assert.deepEqual(attributes, { guest: 'true', role: 'viewer' });
    colors.push(color);
    identities.push(guest.identity);
  }
  assert.equal(new Set(identities).size, 1);
  assert.equal(new Set(colors).size, 1);
});

test('guests of two browsers are two participants', async () => {
  const { invitation } = (await invite(HOST, { role: 'participant', seconds: 600 })).json;
  for (const secret of [BROWSER, [...BROWSER].reverse().join(''), undefined]) {
    await meeting.enter((await fetchToken(invitation, secret)).participantToken);
  }
  assert.equal((await meeting.present('standup')).length, 3);
});

test('guest enters no other room, and participants do not invite', async () => {
  const { invitation } = (await invite(HOST, { role: 'participant', seconds: 600 })).json;
  await assert.rejects(fetchToken(invitation, BROWSER, { roomName: 'closed' }), /403/);
  await assert.rejects(fetchToken(`${invitation.slice(0, -4)}AAAA`, BROWSER), /401/);
  await assert.rejects(fetchToken(invitation, 'short'), /400/);
  assert.equal((await invite(person('bob'), { role: 'viewer', seconds: 600 })).json.code, 'role_not_allowed');
  assert.deepEqual(await meeting.present('standup'), []);
});
