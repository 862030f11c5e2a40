// The pieces of docs/frontends.md ask the real function for tokens, and people enter a LiveKit server's rooms with them.
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
/** The function, the same with an identity provider that cannot be asked, and nobody at all. */
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
/** Another access token of Ada's each time, good or long expired. */
const fresh = () => {
  issued += 1;
  return meeting.bearer({ ...ADA, jti: `${issued}` });
};
const expired = () => meeting.bearer(ADA, now() - 3600);

/** The access tokens that were sent while `work` ran, without preflights, and what came of it. */
async function sent(work, to = gateway) {
  const from = to.seen.length;
  const result = await work();
  const posts = to.seen.slice(from).filter(({ method }) => method === 'POST');
  return [posts.map(({ headers }) => headers.authorization?.replace('Bearer ', '')), result];
}

/** Who is in the room, once somebody is. */
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

    test('two fetches around a change of the access token send two', async () => {
      const bearers = [await fresh(), await fresh()];
      for (const [at, bearer] of bearers.entries()) {
        const [seen, { token }] = await sent(() => ask(`open:${at}`, bearer, 'unused'));
        assert.deepEqual(seen, [bearer]);
        const ada = await meeting.enter(token);
        assert.deepEqual([ada.room, ada.identity], [`open:${at}`, ADA.email]);
      }
    });

    test('an expired one is renewed, and then asked with', async () => {
      const bearers = [await expired(), await fresh()];
      const [seen, { token }] = await sent(() => ask('open:renewed', ...bearers));
      assert.deepEqual(seen, bearers);
      assert.ok(token);
    });

    test('one that stays expired is told, after two requests', async () => {
      const bearer = await expired();
      const [seen, { problem }] = await sent(() => ask('open:late', bearer, bearer));
      assert.deepEqual([seen, problem], [[bearer, bearer], 'token_expired']);
    });

    test('a 401 of another kind is told, and nothing is renewed', async () => {
      const bearer = await fresh();
      const [seen, { problem }] = await sent(() => ask('open:forged', 'not.a.token', bearer));
      assert.deepEqual([seen, problem], [['not.a.token'], 'invalid_token']);
    });

    test('a 403 is told each time, whatever was fetched before', async () => {
      assert.ok((await ask('open:before', await fresh(), 'unused')).token);
      for (let time = 0; time < 2; time += 1) {
        const bearer = await fresh();
        const [seen, { problem, token }] = await sent(() => ask('closed', bearer, 'unused'));
        assert.deepEqual([seen, problem, token], [[bearer], 'room_not_allowed', undefined]);
      }
    });

    test('a 503 is told, and nothing is renewed', async () => {
      const bearer = await fresh();
      const [seen, { problem }] = await sent(() => client.ask(`${troubled.url}/token`, 'open:503', bearer, 'unused'), troubled);
      assert.deepEqual([seen, problem], [[bearer], 'unavailable']);
    });

    test('no answer is as a 503', async () => {
      assert.equal((await client.ask(nobody, 'open:nobody', await fresh(), 'unused')).problem, 'unavailable');
    });
  });
}

describe('JavaScript, further', () => {
  let client;
  before(async () => { client = await startJavaScript(folder.path); });

  test('the types fit those of the packages', () => checkTypes(folder.path, ['roomkey.ts', 'join.ts', 'Call.tsx']));

  test('wrong types do not', async () => {
    const wrong = block('frontends', 'ts', '// join.ts').replace('{ roomName }', '{ room: roomName }');
    writeFileSync(`${folder.path}/wrong.ts`, wrong);
    await assert.rejects(checkTypes(folder.path, ['wrong.ts']), /wrong\.ts.*'room' does not exist in type 'TokenSourceFetchOptions'/s);
  });

  test('a token is kept while it is good, and asked for again on demand', async () => {
    const bearers = [await fresh(), await fresh()];
    const source = client.source(`${gateway.url}/token`, async () => bearers[0]);
    const [first, details] = await sent(() => source.fetch({ roomName: 'open:kept' }));
    const [second, same] = await sent(() => source.fetch({ roomName: 'open:kept' }));
    bearers.shift();
    const [third] = await sent(() => source.fetch({ roomName: 'open:kept' }, true));
    assert.deepEqual([first.length, second, third], [1, [], bearers]);
    assert.deepEqual(same, details);
  });

  test('Retry-After and every option arrive', async () => {
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

test("Python joins with LiveKit's client", async () => {
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

test("Rust's piece is what its client is made of", () => {
  assert.equal(readFileSync(`${repository}tests/real/rust_client/src/roomkey.rs`, 'utf8'), piece('roomkey.rs'));
});

describe("React's Call, in Chromium", () => {
  let pages = [];
  afterEach(async () => {
    await Promise.all(pages.map((page) => page.close()));
    pages = [];
  });

  /** A person who looks at the page. `bearers` is what the app's access tokens are: one, and the renewed one. */
  const visit = async ({ bearers, roomName, to = gateway }) => {
    const seen = { errors: [], microphones: 0 };
    let prepared;
    const page = await app.visit(async (tab) => {
      // What `useSession` does with the token that it fetched ahead.
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
  test('enters a call with one request, and again with the access token of then', async () => {
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

  test('an expired access token is renewed', async () => {
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
  for (const [what, prepare, words] of refusals) {
    test(`${what} is said in words, and no microphone is opened`, async () => {
      const { press, alert, seen } = await visit(await prepare());
      await press('Join');
      assert.equal(await alert(), words);
      assert.equal(seen.microphones, 0);
    });
  }

  test('a fetch that nobody waits for fails as an unhandled rejection, when somebody leaves', async () => {
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

describe("what the page says of LiveKit's own source for JavaScript", () => {
  const source = (headers) => TokenSource.endpoint(`${gateway.url}/token`, { headers });

  test('its headers are fixed, but for a getter', async () => {
    const [first, second] = [await fresh(), await fresh()];
    let bearer = first;
    const plain = source({ Authorization: `Bearer ${bearer}` });
    const getter = source({ get Authorization() { return `Bearer ${bearer}`; } });
    bearer = second;
    assert.deepEqual((await sent(() => plain.fetch({ roomName: 'open:1' })))[0], [first]);
    assert.deepEqual((await sent(() => getter.fetch({ roomName: 'open:1' })))[0], [second]);
  });

  test('status and body are in the message', async () => {
    await assert.rejects(source({}).fetch({}), /received 401 \/ \{.*"code":"missing_token"/);
  });

  test('after a failure it hands out the token of the room before', async () => {
    const stale = source({ Authorization: `Bearer ${await fresh()}` });
    const before = await stale.fetch({ roomName: 'open:before' });
    await assert.rejects(stale.fetch({ roomName: 'closed' }), /403/);
    const [seen, details] = await sent(() => stale.fetch({ roomName: 'closed' }));
    assert.deepEqual([seen, details], [[], before]);
    await assert.rejects(stale.fetch({ roomName: 'closed' }, true), /403/);
  });

  test('attributes are compared as objects', async () => {
    const caching = source({ Authorization: `Bearer ${await fresh()}` });
    const attributes = { team: 'blue' };
    const fetch = (participantAttributes) => caching.fetch({ roomName: 'open:a', participantAttributes });
    const [seen] = await sent(async () => {
      for (const wish of [attributes, attributes, { ...attributes }]) await fetch(wish);
    });
    assert.equal(seen.length, 2);
  });
});

describe('what to tell people', () => {
  const rows = [...readFileSync(`${repository}docs/frontends.md`, 'utf8').matchAll(/^\| (`[a-z_`, ]+`) \| ([A-Z][^|]*\.) \|/gm)]
    .flatMap(([, codes, words]) => [...codes.matchAll(/\w+/g)].map(([code]) => [code, words]));

  test('is there for each code of POST /token', () => {
    const { responses } = readDocument().paths['/token'].post;
    const answered = Object.values(responses).flatMap((one) => codesIn(resolve(one).content?.['application/problem+json']?.schema));
    assert.deepEqual(rows.map(([code]) => code).sort(), answered.sort());
  });

  test('is what the JavaScript says', async () => {
    writeFileSync(`${folder.path}/words.mjs`, await bundle(folder.path, 'roomkey.ts', 'node'));
    const { Problem, words } = await import(`${folder.path}/words.mjs`);
    for (const [code, expected] of rows) {
      const said = words(new Problem(400, code));
      assert.ok([expected, expected.replace('.', ` (${code}).`)].includes(said), `${code}: ${said}`);
    }
    assert.equal(words(new TypeError('fetch failed')), 'This takes longer than usual. Please wait.');
  });
});

test('the versions are those that run', () => {
  const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
  const { dependencies } = JSON.parse(read('tests/real/package.json'));
  const named = [
    ...['livekit-client', '@livekit/components-react'].map((name) => `${name} ${dependencies[name]}`),
    `livekit ${read('tests/real/requirements.txt').match(/^livekit==(.*)$/m)[1]}`,
    `livekit-token-source ${read('tests/real/rust_client/Cargo.toml').match(/^livekit-token-source = "=(.*)"$/m)[1]}`,
  ];
  for (const name of named) assert.ok(read('docs/frontends.md').includes(name), name);
});

test('there is a piece for each other SDK', () => {
  for (const name of ['Roomkey.swift', 'Roomkey.kt', 'roomkey.dart', 'Roomkey.cs']) assert.match(piece(name), /token_expired/);
});
