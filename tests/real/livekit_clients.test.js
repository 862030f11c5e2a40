// LiveKit's clients fetch a token from roomkey and join a LiveKit server with it.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { TokenSource } from 'livekit-client';
import { fetchToken, startBrowser, startPages } from './support/browser.js';
import { startGateway } from './support/gateway.js';
import { PALETTE } from './support/judge.js';
import { person, startMeeting } from './support/meeting.js';
import { output, work } from './support/processes.js';

const POLICY = `
[[allow]]
when = { seat = "viewer" }
rooms = ["acme:*"]
role = "viewer"

[[allow]]
rooms = ["acme:*"]
role = "participant"
`;
const ADA = person('ada');
const VIC = person('vic', { seat: 'viewer' });

let pages;
let browser;
let page;
let meeting;
let gateway;
before(async () => {
  pages = await startPages();
  meeting = await startMeeting({ policy: POLICY, env: { ALLOWED_ORIGINS: pages.origin } });
  browser = await startBrowser();
  gateway = await startGateway(meeting.lambda);
  page = await browser.visit(pages.origin);
});
afterEach(() => meeting.clear());
after(() => Promise.all([browser, gateway, meeting, pages].map((part) => part?.stop())));

/** Functions that fetch a token for `room` with a client, and return the server's URL and the token. */
const sources = {
  'plain HTTP': async (bearer, room) => {
    const response = await fetch(`${gateway.url}/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify({ room_name: room }),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const { server_url, participant_token } = await response.json();
    return [server_url, participant_token];
  },
  'livekit-client in Node': async (bearer, room) => {
    const source = TokenSource.endpoint(`${gateway.url}/token`, { headers: { Authorization: `Bearer ${bearer}` } });
    const { serverUrl, participantToken } = await source.fetch({ roomName: room });
    return [serverUrl, participantToken];
  },
  'livekit-client in Chromium': async (bearer, room) => {
    const { details, error } = await fetchToken(page, `${gateway.url}/token`, bearer, { roomName: room });
    if (error) throw new Error(error);
    return [details.serverUrl, details.participantToken];
  },
  'livekit-token-source in Rust': async (bearer, room) => {
    const printed = await output(`${work}/rust_client/debug/fetch_token`, [`${gateway.url}/token`, bearer, room]);
    return printed.trim().split('\n');
  },
};

describe('participants with each client', () => {
  for (const [client, source] of Object.entries(sources)) {
    test(client, async () => {
      const room = `acme:${client}`;
      const watcher = await meeting.join(person('ben'), { room_name: room });
      const [url, token] = await source(await meeting.bearer(ADA), room);
      assert.equal(url, meeting.livekit.url);
      const ada = await meeting.enter(token);
      assert.deepEqual([ada.room, ada.identity], [room, ADA.email]);
      await ada.publish('microphone');
      await watcher.sees({ event: 'media', identity: ADA.email, source: 'microphone' });
      const { name, attributes } = await meeting.livekit.rooms.getParticipant(room, ADA.email);
      assert.deepEqual([name, attributes.role], ['Ada', 'participant']);
      assert.ok(PALETTE.includes(attributes.color));
    });

    test(`${client} receives a rejection for a room of another tenant`, async () => {
      await assert.rejects(source(await meeting.bearer(ADA), 'globex:board'), /403.*room_not_allowed/s);
      assert.deepEqual(await meeting.livekit.rooms.listRooms(['globex:board']), []);
    });
  }
});

describe('livekit-client in Chromium', () => {
  /** Fetches a token, joins and publishes video. Returns the results of publishing and of changing metadata. */
  const call = async (who, room) => page.evaluate(async ([endpoint, bearer, roomName]) => {
    const { Room, TokenSource: Source } = window.LivekitClient;
    const source = Source.endpoint(endpoint, { headers: { Authorization: `Bearer ${bearer}` } });
    const { serverUrl, participantToken } = await source.fetch({ roomName });
    const call = new Room();
    window.call = call;
    const heard = new Promise((resolve) => {
      call.on('trackSubscribed', (track, { source: kind }, { identity }) => resolve([identity, kind]));
    });
    await call.connect(serverUrl, participantToken);
    const attempt = async (promise) => promise.then(() => 'accepted', (error) => error.message);
    const canvas = document.createElement('canvas');
    const brush = canvas.getContext('2d');
    // A canvas sends a frame for each change of its content.
    setInterval(() => brush.fillRect(Math.random() * 200, 0, 10, 10), 100);
    const [picture] = canvas.captureStream(5).getVideoTracks();
    return {
      identity: call.localParticipant.identity,
      name: call.localParticipant.name,
      heard: await heard,
      published: await attempt(call.localParticipant.publishTrack(picture, { source: 'camera' })),
      renamed: await attempt(call.localParticipant.setMetadata('new')),
    };
  }, [`${gateway.url}/token`, await meeting.bearer(who), room]);
  afterEach(() => page.evaluate(() => window.call?.disconnect()));

  const rows = [
    ['a participant', ADA, 'accepted'],
    ['a viewer', VIC, 'failed to publish track, insufficient permissions'],
  ];
  for (const [what, who, published] of rows) {
    test(what, async () => {
      const room = `acme:call of ${what}`;
      const ben = await meeting.join(person('ben'), { room_name: room });
      await ben.publish('microphone');
      assert.deepEqual(await call(who, room), {
        identity: who.email,
        name: who.name,
        heard: [ben.identity, 'microphone'],
        published,
        renamed: 'does not have permission to update own metadata',
      });
      if (published === 'accepted') await ben.sees({ event: 'media', identity: who.email, source: 'camera' });
      const { metadata, tracks } = await meeting.livekit.rooms.getParticipant(room, who.email);
      assert.deepEqual([metadata, tracks.length], ['', published === 'accepted' ? 1 : 0]);
    });
  }
});
