// The code of docs/frontends.md fetches tokens from the function and joins rooms of a LiveKit server with them.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { TokenSource } from 'livekit-client';
import { block } from './support/docs.js';
import {
  bundle, checkTypes, piece, pythonEnv, startApp, startFolder, startJavaScript, startPython, startRust,
} from './support/frontends.js';
import { startGateway } from './support/gateway.js';
import { person, startMeeting } from './support/meeting.js';
import { codesIn, readDocument, resolve } from './support/openapi.js';
import { eventually, freePort, repository, start, work } from './support/processes.js';

const POLICY = `
[[allow]]
rooms = ["open:*"]
role = "participant"
`;
const ADA = person('ada');

const APP = `
import { createRoot } from 'react-dom/client';
import { Call } from './Call';
createRoot(document.getElementById('app')!).render(<Call {...(window as any).props} />);
`;

let folder;
let app;
let meeting;
/** URLs of the function, of the same function with an unreachable identity provider, and of a closed port. */
let gateway;
let troubled;
let nobody;
before(async () => {
  folder = startFolder(['roomkey.ts', 'join.ts', 'Call.tsx', 'roomkey.py', 'join.py']);
  writeFileSync(`${folder.path}/app.tsx`, APP);
  app = await startApp(await bundle(folder.path, 'app.tsx', 'browser'));
  meeting = await startMeeting({ policy: POLICY, env: { ALLOWED_ORIGINS: app.origin } });
  gateway = await startGateway(meeting.lambda);
  const offline = { OIDC_JWKS: '', OIDC_JWKS_URI: `http://127.0.0.1:${await freePort()}/jwks` };
  troubled = await startGateway(await meeting.startRoomkey(offline));
  nobody = `http://127.0.0.1:${await freePort()}/token`;
});
afterEach(() => meeting.clear());
after(async () => {
  await Promise.all([app, gateway, troubled].map((part) => part?.stop()));
  await meeting?.stop();
  folder?.stop();
});

const now = () => Math.floor(Date.now() / 1000);
let issued = 0;
/** Returns a new access token of Ada, valid or long expired. */
const fresh = () => {
  issued += 1;
  return meeting.bearer({ ...ADA, jti: `${issued}` });
};
const expired = () => meeting.bearer(ADA, now() - 3600);

/** Runs `work`. Returns the access tokens that it sent, without preflights, and its result. */
async function sent(work, to = gateway) {
  const from = to.seen.length;
  const result = await work();
  const posts = to.seen.slice(from).filter(({ method }) => method === 'POST');
  return [posts.map(({ headers }) => headers.authorization?.replace('Bearer ', '')), result];
}

/** Returns the participants of the room when it is no longer empty. */
async function present(room) {
  const people = await meeting.livekit.rooms.listParticipants(room);
  return people.length > 0 && people;
}

const START = { JavaScript: () => startJavaScript(folder.path), Python: () => startPython(folder.path), Rust: startRust };
for (const [language, begin] of Object.entries(START)) {
  describe(language, () => {
    let client;
    const ask = (room, ...bearers) => client.ask(`${gateway.url}/token`, room, ...bearers);
    before(async () => { client = await begin(); });
    after(() => client?.stop());

    test(`${language} sends the new access token after a change`, async () => {
      const bearers = [await fresh(), await fresh()];
      for (const [at, bearer] of bearers.entries()) {
        const [seen, { token }] = await sent(() => ask(`open:${at}`, bearer, 'unused'));
        assert.deepEqual(seen, [bearer]);
        const ada = await meeting.enter(token);
        assert.deepEqual([ada.room, ada.identity], [`open:${at}`, ADA.email]);
      }
    });

    test(`${language} renews an expired access token and retries`, async () => {
      const bearers = [await expired(), await fresh()];
      const [seen, { token }] = await sent(() => ask('open:renewed', ...bearers));
      assert.deepEqual(seen, bearers);
      assert.ok(token);
    });

    test(`${language} reports an access token that is still expired after the retry`, async () => {
      const bearer = await expired();
      const [seen, { problem }] = await sent(() => ask('open:late', bearer, bearer));
      assert.deepEqual([seen, problem], [[bearer, bearer], 'token_expired']);
    });

    test(`${language} reports another 401 without a renewal`, async () => {
      const bearer = await fresh();
      const [seen, { problem }] = await sent(() => ask('open:forged', 'not.a.token', bearer));
      assert.deepEqual([seen, problem], [['not.a.token'], 'invalid_token']);
    });

    test(`${language} reports every 403 independent of earlier fetches`, async () => {
      assert.ok((await ask('open:before', await fresh(), 'unused')).token);
      for (let time = 0; time < 2; time += 1) {
        const bearer = await fresh();
        const [seen, { problem, token }] = await sent(() => ask('closed', bearer, 'unused'));
        assert.deepEqual([seen, problem, token], [[bearer], 'room_not_allowed', undefined]);
      }
    });

    test(`${language} reports a 503 without a renewal`, async () => {
      const bearer = await fresh();
      const [seen, { problem }] = await sent(() => client.ask(`${troubled.url}/token`, 'open:503', bearer, 'unused'), troubled);
      assert.deepEqual([seen, problem], [[bearer], 'unavailable']);
    });

    test(`${language} reports a missing response like a 503`, async () => {
      assert.equal((await client.ask(nobody, 'open:nobody', await fresh(), 'unused')).problem, 'unavailable');
    });
  });
}

describe('JavaScript only', () => {
  let client;
  before(async () => { client = await startJavaScript(folder.path); });

  test('TypeScript code compiles with the types of the packages', () => checkTypes(folder.path, ['roomkey.ts', 'join.ts', 'Call.tsx']));

  test('TypeScript code with wrong types does not compile', async () => {
    const wrong = block('frontends', 'ts', '// join.ts').replace('{ roomName }', '{ room: roomName }');
    writeFileSync(`${folder.path}/wrong.ts`, wrong);
    await assert.rejects(checkTypes(folder.path, ['wrong.ts']), /wrong\.ts.*'room' does not exist in type 'TokenSourceFetchOptions'/s);
  });

  test('JavaScript source caches a valid token and refetches it on demand', async () => {
    const bearers = [await fresh(), await fresh()];
    const source = client.source(`${gateway.url}/token`, async () => bearers[0]);
    const [first, details] = await sent(() => source.fetch({ roomName: 'open:kept' }));
    const [second, same] = await sent(() => source.fetch({ roomName: 'open:kept' }));
    bearers.shift();
    const [third] = await sent(() => source.fetch({ roomName: 'open:kept' }, true));
    assert.deepEqual([first.length, second, third], [1, [], bearers]);
    assert.deepEqual(same, details);
  });

  test('JavaScript source passes on Retry-After and every option', async () => {
    const source = client.source(`${troubled.url}/token`, fresh);
    await assert.rejects(source.fetch({}), ({ retryAfter }) => retryAfter >= 1 && retryAfter <= 30);
    const options = {
      roomName: 'open:options', participantName: 'Ada', participantIdentity: ADA.email, participantMetadata: '{"seat":4}',
      participantAttributes: { team: 'blue' }, agentMetadata: '{"topic":"billing"}',
    };
    const { participantToken } = await client.source(`${gateway.url}/token`, fresh).fetch(options);
    const { name, sub, metadata, attributes, roomConfig } = JSON.parse(Buffer.from(participantToken.split('.')[1], 'base64url'));
    assert.deepEqual([name, sub, metadata, attributes.team], ['Ada', ADA.email, '{"seat":4}', 'blue']);
    assert.deepEqual(roomConfig, { agents: [{ metadata: '{"topic":"billing"}' }] });
  });
});

test("Python code joins a room with LiveKit's client", async () => {
  const script = `
import asyncio, sys, join
async def main(url, bearer):
    async def access_token(renew):
        return bearer
    room = await join.join(url, access_token, "open:python")
    await asyncio.Event().wait()
asyncio.run(main(*sys.argv[1:]))`;
  const args = ['-c', script, `${gateway.url}/token`, await fresh()];
  const program = start(`${work}/venv/bin/python`, args, { env: pythonEnv(folder.path) });
  try {
    const [ada] = await eventually(`the server sees Ada: ${program.output}`, () => present('open:python'));
    assert.equal(ada.identity, ADA.email);
  } finally {
    await program.stop();
  }
});

test('Rust client contains the code of the page', () => {
  assert.equal(readFileSync(`${repository}tests/real/rust_client/src/roomkey.rs`, 'utf8'), piece('roomkey.rs'));
});

describe("React's Call, in Chromium", () => {
  let pages = [];
  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
  });

  /** Opens the page. `bearers` are the access tokens of the app: the first and the renewed one. */
  const visit = async ({ bearers, roomName, to = gateway }) => {
    const seen = { errors: [], microphones: 0 };
    let prepared;
    const page = await app.visit(async (tab) => {
      // Errors of the tokens that `useSession` fetches in advance.
      prepared = tab.waitForRequest((request) => request.url().startsWith(meeting.livekit.httpUrl));
      prepared.catch(() => {});
      tab.on('pageerror', (error) => seen.errors.push(error.message));
      await tab.exposeFunction('accessToken', (renew) => bearers[renew ? 1 : 0]);
      await tab.exposeFunction('microphone', () => { seen.microphones += 1; });
      await tab.addInitScript(([url, room]) => {
        window.props = { url, roomName: room, accessToken: (renew) => window.accessToken(renew) };
        const devices = navigator.mediaDevices;
        const open = devices.getUserMedia.bind(devices);
        devices.getUserMedia = async (wish) => { await window.microphone(); return open(wish); };
      }, [`${to.url}/token`, roomName]);
    });
    pages.push(page);
    const press = (name) => page.getByRole('button', { name }).click();
    return { page, press, prepared, seen, alert: () => page.getByRole('alert').textContent() };
  };
  test('React component joins with one request and rejoins with the current access token', async () => {
    const bearers = [await fresh()];
    const roomName = 'open:react';
    const [first, { page, press, seen }] = await sent(async () => {
      const visitor = await visit({ bearers, roomName });
      await visitor.prepared;
      await visitor.press('Join');
      await visitor.page.getByRole('button', { name: 'Leave' }).waitFor();
      return visitor;
    });
    assert.deepEqual(first, [bearers[0]]);
    const [ada] = await eventually('the server sees Ada', () => present(roomName));
    assert.equal(ada.identity, ADA.email);
    bearers[0] = await fresh();
    const [second] = await sent(async () => {
      await press('Leave');
      await page.getByRole('button', { name: 'Join' }).waitFor();
      await eventually('it asks for the next', () => gateway.seen.some(({ headers }) => headers.authorization === `Bearer ${bearers[0]}`));
      await press('Join');
      await page.getByRole('button', { name: 'Leave' }).waitFor();
    });
    assert.deepEqual([...new Set(second)], [bearers[0]]);
    assert.deepEqual(seen.errors, []);
  });

  test('React component renews an expired access token', async () => {
    const bearers = [await expired(), await fresh()];
    const { page, press } = await visit({ bearers, roomName: 'open:renewed' });
    await press('Join');
    await page.getByRole('button', { name: 'Leave' }).waitFor();
  });

  const refusals = [
    ['a 401', async () => ({ bearers: ['not.a.token'], roomName: 'open:401' }), 'Please sign in again.'],
    ['a 403', async () => ({ bearers: [await fresh()], roomName: 'closed' }), 'You may not enter this room.'],
    ['a 503', async () => ({ bearers: [await fresh()], roomName: 'open:503', to: troubled }), 'This takes longer than usual. Please wait.'],
  ];
  for (const [what, prepare, message] of refusals) {
    test(`React component shows a message after ${what} and keeps the microphone off`, async () => {
      const { press, alert, seen } = await visit(await prepare());
      await press('Join');
      assert.equal(await alert(), message);
      assert.equal(seen.microphones, 0);
    });
  }

  test('failed fetch in advance causes an unhandled rejection after leaving', async () => {
    const bearers = [await fresh()];
    const { page, press, seen } = await visit({ bearers, roomName: 'open:leaving' });
    await press('Join');
    await page.getByRole('button', { name: 'Leave' }).waitFor();
    bearers[0] = 'not.a.token';
    await press('Leave');
    await eventually('the page sees it', () => seen.errors.length > 0);
    assert.deepEqual([...new Set(seen.errors)], ['roomkey: 401 invalid_token']);
  });
});

describe("LiveKit's own source for JavaScript", () => {
  const source = (headers) => TokenSource.endpoint(`${gateway.url}/token`, { headers });

  test("LiveKit's source has fixed headers except a getter", async () => {
    const [first, second] = [await fresh(), await fresh()];
    let bearer = first;
    const plain = source({ Authorization: `Bearer ${bearer}` });
    const getter = source({ get Authorization() { return `Bearer ${bearer}`; } });
    bearer = second;
    assert.deepEqual((await sent(() => plain.fetch({ roomName: 'open:1' })))[0], [first]);
    assert.deepEqual((await sent(() => getter.fetch({ roomName: 'open:1' })))[0], [second]);
  });

  test("LiveKit's source reports status and body in the message", async () => {
    await assert.rejects(source({}).fetch({}), /received 401 \/ \{.*"code":"missing_token"/);
  });

  test("LiveKit's source returns the token of the previous room after a failure", async () => {
    const stale = source({ Authorization: `Bearer ${await fresh()}` });
    const before = await stale.fetch({ roomName: 'open:before' });
    await assert.rejects(stale.fetch({ roomName: 'closed' }), /403/);
    const [seen, details] = await sent(() => stale.fetch({ roomName: 'closed' }));
    assert.deepEqual([seen, details], [[], before]);
    await assert.rejects(stale.fetch({ roomName: 'closed' }, true), /403/);
  });

  test("LiveKit's source compares attributes by object identity", async () => {
    const caching = source({ Authorization: `Bearer ${await fresh()}` });
    const attributes = { team: 'blue' };
    const fetch = (participantAttributes) => caching.fetch({ roomName: 'open:a', participantAttributes });
    const [seen] = await sent(async () => {
      for (const wish of [attributes, attributes, { ...attributes }]) await fetch(wish);
    });
    assert.equal(seen.length, 2);
  });
});

describe('messages to users', () => {
  const rows = [...readFileSync(`${repository}docs/frontends.md`, 'utf8').matchAll(/^\| (`[a-z_`, ]+`) \| ([A-Z][^|]*\.) \|/gm)]
    .flatMap(([, codes, message]) => [...codes.matchAll(/\w+/g)].map(([code]) => [code, message]));

  test('page has a message for every code of POST /token', () => {
    const { responses } = readDocument().paths['/token'].post;
    const answered = Object.values(responses).flatMap((one) => codesIn(resolve(one).content?.['application/problem+json']?.schema));
    assert.deepEqual(rows.map(([code]) => code).sort(), answered.sort());
  });

  test('JavaScript code has the messages of the page', async () => {
    writeFileSync(`${folder.path}/messages.mjs`, await bundle(folder.path, 'roomkey.ts', 'node'));
    const { Problem, messageFor } = await import(`${folder.path}/messages.mjs`);
    for (const [code, expected] of rows) {
      const said = messageFor(new Problem(400, code));
      assert.ok([expected, expected.replace('.', ` (${code}).`)].includes(said), `${code}: ${said}`);
    }
    assert.equal(messageFor(new TypeError('fetch failed')), 'This takes longer than usual. Please wait.');
  });
});

test('page names the tested versions', () => {
  const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
  const { dependencies } = JSON.parse(read('tests/real/package.json'));
  const named = [
    ...['livekit-client', '@livekit/components-react'].map((name) => `${name} ${dependencies[name]}`),
    `livekit ${read('tests/real/requirements.txt').match(/^livekit==(.*)$/m)[1]}`,
    `livekit-token-source ${read('tests/real/rust_client/Cargo.toml').match(/^livekit-token-source = "=(.*)"$/m)[1]}`,
  ];
  for (const name of named) assert.ok(read('docs/frontends.md').includes(name), name);
});

test('page has code for every other SDK', () => {
  for (const name of ['Roomkey.swift', 'Roomkey.kt', 'roomkey.dart', 'Roomkey.cs']) assert.match(piece(name), /token_expired/);
});
