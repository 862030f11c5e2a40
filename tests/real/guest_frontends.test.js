// The code of docs/guests.md in Chromium, with the example `dev` and a LiveKit server.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { bundle, checkTypes, piece, startApp, startFolder } from './support/frontends.js';
import { startLiveKit } from './support/livekit_server.js';
import { buildExample, withExample } from './support/page.js';
import { eventually, freePort } from './support/processes.js';

const ROOM = 'stage: 1/2';
const ENDPOINT = 'http://127.0.0.1:3000';
const FILES = ['enter.ts', 'Guest.tsx', 'host.ts', 'WaitingList.tsx'];

const APP = `
import { Room } from 'livekit-client';
import { createRoot } from 'react-dom/client';
import { Guest } from './Guest';
import { GuestDesk } from './host';
import { WaitingList } from './WaitingList';

const root = createRoot(document.getElementById('app')!);
const { host } = window as any;
if (host) {
  const room = new Room();
  await room.connect(host.serverUrl, host.participantToken);
  const desk = new GuestDesk('${ENDPOINT}', room.name, async () => host.bearer);
  (window as any).desk = desk;
  root.render(<WaitingList room={room} desk={desk} />);
} else {
  root.render(<Guest url="${ENDPOINT}/token" />);
  (window as any).leave = () => root.unmount();
}
`;

let folder;
let app;
let livekit;
before(async () => {
  buildExample();
  folder = startFolder(FILES, 'guests');
  writeFileSync(`${folder.path}/app.tsx`, APP);
  livekit = await startLiveKit({ port: await freePort() });
  app = await startApp(await bundle(folder.path, 'app.tsx', 'browser'));
});
after(async () => {
  await Promise.all([app, livekit].map((part) => part?.stop()));
  folder?.stop();
});

const post = async (url, body, headers) => (await fetch(url, {
  method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
})).json();

/** Opens the host's page, with Ada in the room. */
async function visitAsHost() {
  const { access_token: bearer } = await post('http://127.0.0.1:3001/login', { person: 'ada' });
  const { server_url: serverUrl, participant_token: participantToken } = await post(
    `${ENDPOINT}/token`, { room_name: ROOM }, { authorization: `Bearer ${bearer}` },
  );
  const page = await app.visit((tab) => tab.addInitScript((host) => { window.host = host; }, { serverUrl, participantToken, bearer }));
  await page.getByRole('region', { name: 'Waiting room' }).waitFor();
  return page;
}

const invite = (host, wish) => host.evaluate((body) => window.desk.invite(`${location.origin}/`, body), wish);
const guests = async () => (await livekit.rooms.listParticipants(ROOM)).filter(({ identity }) => identity.startsWith('guest:'));

test('TypeScript code compiles with the types of the packages', () => checkTypes(folder.path, FILES));

test('TypeScript code with wrong types does not compile', async () => {
  writeFileSync(`${folder.path}/wrong.tsx`, piece('WaitingList.tsx', 'guests').replace('desk.decide(identity, admit)', 'desk.decide(admit)'));
  await assert.rejects(checkTypes(folder.path, ['wrong.tsx']), /wrong\.tsx.*Expected 2 arguments/s);
});

describe('the code in Chromium', () => {
  withExample(() => ({ LIVEKIT_URL: livekit.url }));
  let host;
  let pages = [];
  before(async () => { host = await visitAsHost(); });
  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
    for (const { identity } of await guests()) await livekit.rooms.removeParticipant(ROOM, identity).catch(() => {});
    await eventually('no guests', async () => (await guests()).length === 0);
  });
  after(() => host?.close());

  /** Opens a link and joins with a name. */
  const enter = async (link, name) => {
    const page = await app.visit(() => {}, new URL(link).hash);
    pages.push(page);
    await page.getByLabel('Your name').fill(name);
    await page.getByRole('button', { name: 'Join' }).click();
    return page;
  };
  const says = (page, words) => page.getByRole('status').filter({ hasText: words }).waitFor();

  test('guest joins with the link of the host', async () => {
    const link = await invite(host, { role: 'viewer', seconds: 60 });
    const page = await enter(link, 'Lin');
    await says(page, 'You are in the room.');
    const [{ name, attributes }] = await guests();
    assert.deepEqual([name, attributes.role, attributes.guest], ['Lin', 'viewer', 'true']);
  });

  test('guest keeps the identity after a reload', async () => {
    const link = await invite(host, { role: 'viewer', seconds: 60 });
    const page = await enter(link, 'Lin');
    await says(page, 'You are in the room.');
    const [{ identity }] = await guests();
    await page.reload();
    await page.getByLabel('Your name').fill('Lin Lanying');
    await page.getByRole('button', { name: 'Join' }).click();
    await says(page, 'You are in the room.');
    const again = await eventually('the guest is back', async () => (await guests()).find(({ name }) => name === 'Lin Lanying'));
    assert.equal(again.identity, identity);
  });

  test('guest reads a message if the link is not complete', async () => {
    const link = await invite(host, { role: 'viewer', seconds: 60 });
    await says(await enter(link.slice(0, -4), 'Lin'), 'This link is not valid. Please copy the whole link.');
    await says(await enter(`${link.split('#')[0]}#`, 'Lin'), 'This takes longer than usual. Please try again.');
  });

  describe('a waiting room', () => {
    let link;
    before(async () => { link = await invite(host, { role: 'participant', seconds: 60, lobby: true }); });

    test('guest waits, and enters when the host admits them', async () => {
      await host.getByText('Nobody is waiting.').waitFor();
      const page = await enter(link, 'Grace');
      await says(page, 'Waiting to be let in…');
      assert.deepEqual(await guests(), []);
      await host.getByRole('button', { name: 'Admit Grace' }).click();
      await says(page, 'You are in the room.');
      assert.equal((await guests())[0].name, 'Grace');
      await host.getByText('Nobody is waiting.').waitFor();
    });

    test('guest reads a message after a refusal', async () => {
      const page = await enter(link, 'Kurt');
      await says(page, 'Waiting to be let in…');
      await host.getByRole('button', { name: 'Refuse Kurt' }).click();
      await says(page, 'You were not let in.');
    });

    test('guest who closes the page sends no further request', async () => {
      const page = await enter(link, 'Emil');
      await says(page, 'Waiting to be let in…');
      const requests = [];
      page.on('request', (request) => requests.push(request.url()));
      await page.evaluate(() => window.leave());
      await page.waitForTimeout(4_000);
      assert.deepEqual(requests, []);
    });
  });
});
