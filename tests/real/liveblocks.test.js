// The sign-in for Liveblocks. `@liveblocks/node` checks roomkey's requests to Liveblocks' API, and `@liveblocks/client`
// the responses. The API is a stand-in, and no request reaches Liveblocks.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '@liveblocks/client';
import { Liveblocks } from '@liveblocks/node';
import { WebSocket } from 'ws';
import { startBrowser } from './support/browser.js';
import { SECRET_KEY as CLERK_KEY, startClerk } from './support/clerk.js';
import { block } from './support/docs.js';
import { startGateway } from './support/gateway.js';
import { SECRET_KEY, startLiveblocks } from './support/liveblocks.js';
import { person, startMeeting } from './support/meeting.js';
import { eventually } from './support/processes.js';

const PATH = '/api/liveblocks-auth';
const ADA = person('ada', { name: 'Ada Lovelace', picture: 'https://img.example.com/ada.png' });
const ADMIN = { ...ADA, org_id: 'acme', org_role: 'org:admin' };
const MEMBER = { ...person('grace'), org_id: 'acme' };

let liveblocks;
let meeting;
/** Functions with and without patterns in their policies, each behind a gateway. */
let identifying;
let authorizing;
const gateways = [];

async function serve(lambda, options) {
  const gateway = await startGateway(lambda, options);
  gateways.push(gateway);
  return gateway;
}

before(async () => {
  liveblocks = await startLiveblocks();
  meeting = await startMeeting({ env: { LIVEBLOCKS_SECRET_KEY: SECRET_KEY, LIVEBLOCKS_API_URL: liveblocks.url } });
  identifying = await serve(meeting.lambda);
  const policy = block('liveblocks', 'toml', 'liveblocks =');
  authorizing = await serve(await meeting.startRoomkey({ POLICY: policy }));
});
after(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await meeting?.stop();
  await liveblocks?.stop();
});

/** Sends the request of `caller`'s client before it enters `room`. */
async function ask(gateway, caller, room) {
  const response = await fetch(gateway.url + PATH, {
    method: 'POST',
    headers: { authorization: `Bearer ${await meeting.bearer(caller)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ room }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Returns the requests to the stand-in that `call` caused. */
async function recorded(call) {
  const before = liveblocks.seen.length;
  const answer = await call();
  const asked = liveblocks.seen.slice(before);
  assert.equal(asked.length, 1, JSON.stringify(asked));
  return [asked[0], answer];
}

describe("roomkey's requests are those of @liveblocks/node", () => {
  const sdk = () => new Liveblocks({ secret: SECRET_KEY, baseUrl: liveblocks.url });
  const essence = ({ method, path, headers, body }) => {
    const { authorization, 'content-type': contentType } = headers;
    return { method, path, authorization, contentType, body };
  };

  /** Sends the same request with the SDK and compares both. */
  async function compare(gateway, caller, room) {
    const [ours, answer] = await recorded(() => ask(gateway, caller, room));
    assert.equal(answer.status, 200, answer.text);
    const { userId, userInfo, permissions } = ours.body;
    const [theirs, result] = await recorded(() => {
      if (!permissions) return sdk().identifyUser({ userId }, { userInfo });
      const session = sdk().prepareSession(userId, { userInfo });
      // The SDK rejects patterns and scopes that the API does not support.
      for (const [pattern, scopes] of Object.entries(permissions)) session.allow(pattern, scopes);
      return session.authorize();
    });
    assert.deepEqual(essence(ours), essence(theirs));
    assert.equal(result.status, 200);
    assert.deepEqual(Object.keys(JSON.parse(answer.text)), Object.keys(JSON.parse(result.body)));
    return ours;
  }

  test('identifyUser', async () => {
    const { path, body } = await compare(identifying, ADA, 'doc-1');
    assert.equal(path, '/v2/identify-user');
    const { color, ...rest } = body.userInfo;
    assert.deepEqual([body.userId, rest], ['ada@example.com', { name: 'Ada Lovelace', imageUrl: 'https://img.example.com/ada.png' }]);
    assert.match(color, /^#[0-9A-F]{6}$/);
  });

  test('identifyUser without name and picture matches the SDK', async () => {
    const { sub, email, email_verified } = ADA;
    const { body } = await compare(identifying, { sub, email, email_verified });
    assert.deepEqual(Object.keys(body.userInfo), ['name', 'color']);
    assert.equal(body.userInfo.name, 'Unnamed User');
  });

  const rows = [
    ['a host', ADMIN, 'acme:plan', { 'acme:*': ['*:write'], 'all-hands': ['*:write'] }],
    ['a host, and no room', ADMIN, undefined, { 'acme:*': ['*:write'], 'all-hands': ['*:write'] }],
    ['a viewer', MEMBER, 'acme:docs:1', { 'acme:docs:*': ['*:read'] }],
  ];
  for (const [row, caller, room, permissions] of rows) {
    test(`authorize: ${row}`, async () => {
      const { path, body } = await compare(authorizing, caller, room);
      assert.equal(path, '/v2/authorize-user');
      assert.deepEqual(body.permissions, permissions);
      assert.equal(body.userId, caller.email);
    });
  }

  test('request has the maximum number of patterns with scopes by role', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `"{sub}-${index}-*"`);
    const rule = (role) => `[[allow]]\nwhen = { seat = "${role}" }\nrooms = ["*"]\nrole = "${role}"\nliveblocks = [${names}]\n`;
    const scopes = { host: '*:write', moderator: '*:write', participant: '*:write', viewer: '*:read' };
    const gateway = await serve(await meeting.startRoomkey({ POLICY: Object.keys(scopes).map(rule).join('\n') }));
    for (const [role, scope] of Object.entries(scopes)) {
      const { permissions } = (await compare(gateway, { ...ADA, seat: role })).body;
      assert.deepEqual(Object.entries(permissions), names.map((_, index) => [`ada-${index}-*`, [scope]]));
    }
  });

  test('SDK and stand-in reject invalid requests', async () => {
    assert.throws(() => sdk().prepareSession('ada').allow('a*b', ['*:write']), /Invalid room name or pattern/);
    assert.throws(() => sdk().prepareSession('ada').allow('a'.repeat(129), ['*:write']), /Invalid room name or pattern/);
    const session = sdk().prepareSession('ada');
    for (let room = 0; room < 10; room += 1) session.allow(`room-${room}`, ['*:read']);
    assert.throws(() => session.allow('room-10', ['*:read']), /10 rooms/);
    const wrong = [['identify-user', { user: 'ada' }], ['identify-user', { userId: '' }], ['authorize-user', { userId: 'ada' }]];
    for (const [call, body] of wrong) {
      const headers = { authorization: `Bearer ${SECRET_KEY}`, 'content-type': 'application/json' };
      const { status } = await fetch(`${liveblocks.url}/v2/${call}`, { method: 'POST', headers, body: JSON.stringify(body) });
      assert.equal(status, 422, call);
    }
    assert.equal((await new Liveblocks({ secret: 'sk_other', baseUrl: liveblocks.url }).identifyUser('ada')).status, 401);
  });
});

describe('responses', () => {
  test('responses are not cached and have different tokens', async () => {
    const before = liveblocks.seen.length;
    const answers = [await ask(identifying, ADA), await ask(identifying, ADA), await ask(identifying, ADA)];
    assert.equal(new Set(answers.map(({ text }) => text)).size, 3);
    assert.equal(liveblocks.seen.length, before + 3);
    for (const { headers } of answers) assert.equal(headers.get('cache-control'), 'no-store');
  });

  test('rejected key results in 503 without details', async () => {
    const gateway = await serve(await meeting.startRoomkey({ LIVEBLOCKS_SECRET_KEY: 'sk_another' }));
    const { status, headers, text } = await ask(gateway, ADA);
    assert.equal(status, 503);
    assert.ok(Number(headers.get('retry-after')) >= 1);
    assert.doesNotMatch(text, /INVALID_SECRET_KEY|sk_/);
  });

  test('route does not exist without a key', async () => {
    const gateway = await serve(await meeting.startRoomkey({ LIVEBLOCKS_SECRET_KEY: '' }));
    const { status, text } = await ask(gateway, ADA);
    assert.deepEqual([status, JSON.parse(text).code], [404, 'not_found']);
  });
});

describe('@liveblocks/client in Node', () => {
  const leaving = [];
  after(() => leaving.forEach((leave) => leave()));

  /** Creates a client of `caller` with the endpoint `url`. */
  const clientOf = (caller, url) => createClient({
    authEndpoint: url,
    baseUrl: liveblocks.url,
    polyfills: {
      WebSocket,
      fetch: async (address, { headers, ...rest }) => fetch(address, {
        ...rest, headers: { ...headers, authorization: `Bearer ${await meeting.bearer(caller)}` },
      }),
    },
  });
  /** Lets a client enter a room. `errors` contains its final errors. */
  function enter(client, name) {
    const { room, leave } = client.enterRoom(name);
    leaving.push(leave);
    const errors = [];
    room.subscribe('error', (error) => errors.push(error.message));
    const connected = () => eventually(`${name} is entered (${errors})`, () => room.getStatus() === 'connected' && room.getSelf());
    const refused = () => eventually(`${name} is refused`, () => errors.length > 0);
    return { room, errors, connected, refused };
  }

  test('client enters the room with the identity and color of LiveKit', async () => {
    const { room, connected } = enter(clientOf(ADA, identifying.url + PATH), 'doc-1');
    await connected();
    const { id, info, canWrite } = room.getSelf();
    const participant = await meeting.join(ADA, { room_name: 'call-1' });
    const { identity, name, attributes } = await meeting.livekit.rooms.getParticipant('call-1', participant.identity);
    assert.deepEqual([id, info.name, info.imageUrl, info.color], [identity, name, attributes.imageUrl, attributes.color]);
    assert.equal(canWrite, true);
    assert.deepEqual(liveblocks.entered.at(-1).claims.ui, info);
  });

  test('one ID token grants access to every allowed room', async () => {
    const client = clientOf(ADA, identifying.url + PATH);
    const before = identifying.seen.length;
    for (const name of ['doc-1', 'doc-2']) await enter(client, name).connected();
    assert.equal(identifying.seen.length, before + 1);
  });

  test('access token grants access to its rooms and the client refetches for another room', async () => {
    const client = clientOf(MEMBER, authorizing.url + PATH);
    const before = authorizing.seen.length;
    for (const name of ['acme:docs:1', 'acme:docs:2']) {
      const { room, connected } = enter(client, name);
      await connected();
      assert.equal(room.getSelf().canWrite, false, 'a viewer');
    }
    assert.equal(authorizing.seen.length, before + 1);
    const { refused, errors } = enter(client, 'acme:plan');
    await refused();
    assert.match(errors[0], /Unauthorized: .*room_not_allowed.* \(403 returned by POST/);
    assert.equal(authorizing.seen.length, before + 2);

    const host = enter(clientOf(ADMIN, authorizing.url + PATH), 'acme:plan');
    await host.connected();
    assert.equal(host.room.getSelf().canWrite, true);
  });

  test('client stops after 401, 403 and 404 and retries after 503', async () => {
    const clerk = await startClerk();
    const withoutEmail = person('ada', { email: undefined });
    const byClerk = { PROFILE_SOURCE: 'clerk', CLERK_API_URL: clerk.url, CLERK_SECRET_KEY: CLERK_KEY };
    const rows = [
      [withoutEmail, {}, /^Unauthorized: Email address not set \(404 returned by POST .*\)$/],
      [person('user_gone'), byClerk, /^Unauthorized: User not found \(404 returned by POST .*\)$/],
      [{ ...ADA, email_verified: false }, {}, /email_not_verified.* \(403 returned/],
      [ADA, { OIDC_AUDIENCE: 'nobody' }, /invalid_token.* \(401 returned/],
    ];
    try {
      const refused = await Promise.all(rows.map(async ([caller, env, text]) => {
        const gateway = await serve(await meeting.startRoomkey(env));
        const { errors, refused: stopped } = enter(clientOf(caller, gateway.url + PATH), 'doc-1');
        await stopped();
        assert.match(errors[0], text);
        return gateway;
      }));
      liveblocks.trouble.status = 500;
      const before = identifying.seen.length;
      const { connected, errors } = enter(clientOf(ADA, identifying.url + PATH), 'doc-3');
      await eventually('it asks again', () => identifying.seen.length >= before + 3);
      liveblocks.trouble.status = undefined;
      await connected();
      assert.deepEqual(errors, []);
      assert.deepEqual(refused.map(({ seen }) => seen.length), [1, 1, 1, 1], 'nobody who was refused has asked again meanwhile');
    } finally {
      liveblocks.trouble.status = undefined;
      await clerk.stop();
    }
  });

  test('client accepts new tokens and stops if a proxy caches them', async () => {
    const rule = (rooms) => `[[allow]]\nrooms = ["*"]\nrole = "participant"\nliveblocks = ["${rooms}:*"]\n`;
    const lambda = await meeting.startRoomkey({ POLICY: rule('one') + rule('two') });
    const fresh = clientOf(ADA, (await serve(lambda)).url + PATH);
    for (const name of ['one:1', 'two:1']) await enter(fresh, name).connected();

    let kept;
    const cache = await serve({ invoke: (asked) => { kept ??= lambda.invoke(asked); return kept; } });
    const stale = clientOf(ADA, cache.url + PATH);
    await enter(stale, 'one:1').connected();
    const { refused, errors } = enter(stale, 'two:1');
    await refused();
    assert.match(errors[0], /Caching Liveblocks tokens is not supported/);
  });
});

describe('in Chromium', () => {
  const module = (name) => ['text/javascript', readFileSync(fileURLToPath(import.meta.resolve(name)), 'utf8')];
  const imports = { '@liveblocks/client': '/client.js', '@liveblocks/core': '/core.js' };
  const files = {
    // The value that a bundler would insert, because the packages read the environment.
    '/': ['text/html', `<!doctype html><title>app</title><script>var process = { env: { NODE_ENV: 'production' } };</script>
      <script type="importmap">${JSON.stringify({ imports })}</script>`],
    '/client.js': module('@liveblocks/client'),
    '/core.js': module('@liveblocks/core'),
  };
  let browser;
  let pages;
  let lambda;
  before(async () => {
    pages = await serve({ invoke: (asked) => lambda.invoke(asked) }, { files });
    lambda = await meeting.startRoomkey({ ALLOWED_ORIGINS: pages.url, SESSION_COOKIE: '__session' });
    browser = await startBrowser();
  });
  after(() => browser?.stop());

  /** Opens a page whose sockets to Liveblocks are connected to the stand-in. */
  async function visit() {
    const page = await browser.visit('about:blank');
    await page.routeWebSocket('wss://api.liveblocks.io/**', async (socket) => {
      socket.onMessage((message) => { if (message === 'ping') socket.send('pong'); });
      const asked = new URL(socket.url()).searchParams;
      socket.send(await liveblocks.greeting(asked.get('tok'), asked.get('roomId')));
    });
    await page.goto(pages.url);
    return page;
  }
  /** Enters a room in the page with the client that `source` exports. Returns its identity or the error. */
  const enter = async (page, source, accessToken) => {
    await page.evaluate(async ([code, token]) => {
      window.session = { accessToken: token };
      const { client } = await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
      window.room = client.enterRoom('doc-1').room;
      window.room.subscribe('error', (error) => { window.reason = error.message; });
    }, [source, accessToken]);
    const outcome = await page.waitForFunction(() => window.reason ?? window.room.getSelf());
    return outcome.jsonValue();
  };

  test("code of the documentation works across origins", async () => {
    const api = await serve({ invoke: (asked) => lambda.invoke(asked) });
    const source = block('liveblocks', 'js', 'createClient').replaceAll('https://api.example.com', api.url);
    const { id, info } = await enter(await visit(), source, await meeting.bearer(ADA));
    assert.deepEqual([id, info.name], ['ada@example.com', 'Ada Lovelace']);
    assert.ok(api.seen.some(({ method }) => method === 'OPTIONS'), 'the browser asked first');
    const reason = await enter(await visit(), source, await meeting.bearer(person('ada', { email: undefined })));
    assert.match(reason, /Email address not set/);
  });

  test('session cookie is accepted from the origin of the page', async () => {
    const source = `import { createClient } from '@liveblocks/client'; export const client = createClient({ authEndpoint: '${PATH}' });`;
    const page = await visit();
    assert.match(await enter(page, source), /missing_token.* \(401 returned/);
    const cookie = { name: '__session', value: await meeting.bearer(ADA), url: pages.url };
    await page.context().addCookies([cookie]);
    const { id } = await enter(await visit(), source);
    assert.equal(id, 'ada@example.com');
    assert.equal(pages.seen.at(-1).headers.authorization, undefined);
  });
});
