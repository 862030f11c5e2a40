// npm's livekit-client fetches tokens, from Node and from a page in Chromium on another origin.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TokenSource } from 'livekit-client';
import { fetchToken, startBrowser, startPages } from './support/browser.js';
import { startGateway } from './support/gateway.js';
import { AUDIENCE, newKey, startIssuer } from './support/issuer.js';
import { DEV_LIVEKIT, startFunction } from './support/lambda.js';
import { judgeToken } from './support/judge.js';
import { signIn } from './support/sign_in.js';

const ALICE = { identity: 'alice@example.com', name: 'Alice Ångström' };

let issuer;
let lambda;
let gateway;
let listed;
let unlisted;
const bearers = {};

/** Checks the details that the SDK returns to an app in camelCase. */
async function judgeDetails({ serverUrl, participantToken }, expected) {
  assert.equal(serverUrl, DEV_LIVEKIT.LIVEKIT_URL);
  return judgeToken(participantToken, expected);
}

before(async () => {
  issuer = await startIssuer({ keys: [await newKey('RS256')] });
  [listed, unlisted] = [await startPages(), await startPages()];
  lambda = await startFunction({
    ...DEV_LIVEKIT,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
    ALLOWED_ORIGINS: `https://app.example.com,${listed.origin}`,
  });
  gateway = await startGateway(lambda);
  for (const person of ['alice', 'nora']) bearers[person] = (await signIn(issuer, person)).access_token;
});

after(() => Promise.all([gateway, lambda, issuer, listed, unlisted].map((part) => part?.stop())));

describe('livekit-client in Node', () => {
  let bearer;
  /** The SDK reads `headers` for every request, so a getter always returns the current token. */
  const source = () => TokenSource.endpoint(`${gateway.url}/token`, {
    headers: { get Authorization() { return `Bearer ${bearer}`; } },
  });

  test('fetch without options results in a new room', async () => {
    bearer = bearers.alice;
    const [one, other] = [await source().fetch({}), await source().fetch({})];
    const rooms = [await judgeDetails(one, ALICE), await judgeDetails(other, ALICE)].map((claims) => claims.video.room);
    assert.notEqual(rooms[0], rooms[1]);
  });

  test('token contains every option that a client may set', async () => {
    bearer = bearers.alice;
    const details = await source().fetch({
      roomName: 'standup',
      participantIdentity: ALICE.identity,
      participantName: ALICE.name,
      participantMetadata: '{"seat":4}',
      participantAttributes: { team: 'blue', 'app.mood': 'größe 😀' },
    });
    await judgeDetails(details, {
      ...ALICE, room: 'standup', metadata: '{"seat":4}', attributes: { team: 'blue', 'app.mood': 'größe 😀' },
    });
  });

  test('empty options are omitted', async () => {
    bearer = bearers.alice;
    const details = await source().fetch({
      roomName: '', participantName: '', participantIdentity: '', participantMetadata: '', participantAttributes: {}, agentName: '',
    });
    const claims = await judgeDetails(details, ALICE);
    assert.equal(claims.roomConfig, undefined);
  });

  test('token is cached and the header is read for each fetch', async () => {
    const tokens = source();
    bearer = bearers.alice;
    const first = await tokens.fetch({ roomName: 'standup' });
    const asked = gateway.seen.length;
    assert.deepEqual(await tokens.fetch({ roomName: 'standup' }), first);
    assert.equal(gateway.seen.length, asked, 'no second request');
    bearer = bearers.nora;
    const forced = await tokens.fetch({ roomName: 'standup' }, true);
    await judgeDetails(forced, { identity: 'nora@example.com', name: 'Unnamed User', room: 'standup' });
  });

  const denials = [
    ['a bad bearer', 'bad', {}, '401', 'invalid_token'],
    ["somebody else's identity", 'alice', { participantIdentity: 'bob@example.com' }, '403', 'field_not_allowed'],
    ['a reserved attribute', 'alice', { participantAttributes: { Color: '#000000' } }, '403', 'field_not_allowed'],
    ['an agent that is not listed', 'alice', { agentName: 'support' }, '403', 'agent_not_allowed'],
  ];
  for (const [what, who, options, status, code] of denials) {
    test(`app receives status ${status} and its reason after ${what}`, async () => {
      bearer = bearers[who] ?? 'not.a.token';
      await assert.rejects(source().fetch(options), (error) => {
        assert.match(error.message, new RegExp(`received ${status} / `));
        assert.equal(JSON.parse(error.message.split(' / ').slice(1).join(' / ')).code, code);
        return true;
      });
    });
  }
});

describe('livekit-client in Chromium, on another origin', () => {
  let browser;
  let page;
  let endpoint;
  before(async () => {
    browser = await startBrowser();
    page = await browser.visit(listed.origin);
    endpoint = `${gateway.url}/token`;
  });
  after(() => browser?.stop());

  test('browser sends a preflight and receives the token', async () => {
    const from = gateway.seen.length;
    const { details, error } = await fetchToken(page, endpoint, bearers.alice, { roomName: 'standup', participantAttributes: { team: 'red' } });
    assert.equal(error, undefined);
    await judgeDetails(details, { ...ALICE, room: 'standup', attributes: { team: 'red' } });
    const seen = gateway.seen.slice(from);
    assert.deepEqual(seen.map(({ method }) => method), ['OPTIONS', 'POST']);
    assert.equal(seen[0].headers['access-control-request-headers'], 'authorization,content-type');
    assert.equal(seen[0].headers.authorization, undefined, 'a preflight carries no token');
    assert.equal(seen[1].headers.origin, listed.origin);
  });

  test('browser caches the preflight', async () => {
    const from = gateway.seen.length;
    const { details } = await fetchToken(page, endpoint, bearers.nora, {});
    await judgeDetails(details, { identity: 'nora@example.com', name: 'Unnamed User' });
    assert.deepEqual(gateway.seen.slice(from).map(({ method }) => method), ['POST']);
  });

  test('page receives the text of an error', async () => {
    const { error } = await fetchToken(page, endpoint, bearers.alice, { participantIdentity: 'bob@example.com' });
    assert.match(error, /received 403 \/ .*field_not_allowed/);
  });

  test('page can read a 401 response', async () => {
    const answer = await page.evaluate(async (url) => {
      const response = await fetch(url, { method: 'POST', headers: { Authorization: 'Bearer not.a.token' } });
      return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
    }, endpoint);
    assert.equal(answer.status, 401);
    assert.match(answer.type, /^application\/problem\+json/);
    assert.equal(answer.body.code, 'invalid_token');
  });

  test('page on an unlisted origin cannot read the response', async () => {
    const stranger = await browser.visit(unlisted.origin);
    const from = gateway.seen.length;
    const { details, error } = await fetchToken(stranger, endpoint, bearers.alice, {});
    assert.equal(details, undefined);
    assert.match(error, /Failed to fetch/);
    assert.deepEqual(gateway.seen.slice(from).map(({ method }) => method), ['OPTIONS'], 'the token never left the page');
  });
});
