// Hosts who invite guests on the page of the example `dev`, and the guests.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import * as jose from 'jose';
import { startLiveKit } from './livekit_server.js';
import { buildExample, startVisitors, withExample } from './page.js';
import { freePort } from './processes.js';

export const ROOM = 'stage: 1/2';
export const ROOM_PATH = '/v1/rooms/stage%3A%201%2F2';
export const INVITATION_SECRET = 'an invitation secret of this suite';
export const GUEST_PAGE = 'http://127.0.0.1:3000/guest';

export const claimsOf = (link) => JSON.parse(Buffer.from(new URL(link).hash.split('.')[1], 'base64url'));

/**
 * Runs a LiveKit server and a browser for the tests of a suite: `livekit` and `visitors` of the result. `example(env)` runs
 * the example `dev` during the tests of a `describe`. `participants` and `guests` list who is in the room.
 */
export function withGuests() {
  const suite = {
    example: (env) => withExample(() => ({ LIVEKIT_URL: suite.livekit.url, INVITATION_SECRET, ...env })),
    participants: () => suite.livekit.rooms.listParticipants(ROOM),
    guests: async () => (await suite.participants()).filter(({ identity }) => identity.startsWith('guest:')),
  };
  before(async () => {
    buildExample();
    suite.livekit = await startLiveKit({ port: await freePort() });
    suite.visitors = await startVisitors();
  });
  after(async () => {
    await suite.visitors?.stop();
    await suite.livekit?.stop();
  });
  return suite;
}

/** Creates a link in the host's form. Returns it with the request and its answer as shown. */
export async function invite(host, { role = 'participant', minutes = 60, name = '', waiting = 'none, guests enter at once' } = {}) {
  await host.page.bringToFront();
  const form = host.page.locator('#invite');
  if (!await form.evaluate(({ open }) => open)) await form.locator('summary').click();
  await form.getByLabel('Role').selectOption(role);
  await form.getByLabel('Minutes').fill(String(minutes));
  await form.getByLabel('Name of the guest').fill(name);
  await form.getByLabel('Waiting room').selectOption(waiting);
  const exchange = await host.act('Create link', `Invite a ${role}`);
  assert.equal(exchange.status, '201 Created', JSON.stringify(exchange));
  return { link: await host.page.getByLabel(/^Link: /).first().inputValue(), ...exchange };
}

/** Signs a link with the secret of the deployment. */
export async function sign({ seconds, secret = INVITATION_SECRET, ...claims }) {
  const invitation = await new jose.SignJWT({ jti: crypto.randomUUID(), room: ROOM, role: 'viewer', ...claims })
    .setProtectedHeader({ typ: 'roomkey-invitation+jwt', alg: 'HS256' })
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(secret));
  return `${GUEST_PAGE}#${invitation}`;
}

/** Opens a link in a browser profile of its own, and presses "Join". */
export async function visit(visitors, link, name) {
  const guest = await visitors.visit({ link });
  guest.urls = [];
  guest.page.on('request', (request) => guest.urls.push(request.url()));
  await join(guest, name);
  return guest;
}

export async function join(guest, name) {
  await guest.page.bringToFront();
  if (name) await guest.page.getByLabel('Your name').fill(name);
  await guest.button('Join').click();
}
