// Chromium's requests and the responses that pages can read: tracing headers, extensions, cookies, headers of errors.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fetchToken, makeExtension, startBrowser, startPages } from './support/browser.js';
import { startGateway } from './support/gateway.js';
import { AUDIENCE, newKey, startIssuer } from './support/issuer.js';
import { DEV_LIVEKIT, startFunction } from './support/lambda.js';
import { judgeToken } from './support/judge.js';
import { freePort } from './support/processes.js';
import { signIn } from './support/sign_in.js';

const ALICE = { identity: 'alice@example.com', name: 'Alice Ångström' };
const TRACING = {
  baggage: 'sentry-environment=production,sentry-trace_id=4bf92f3577b34da6a3ce929d0e0e4736',
  'sentry-trace': '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
};
const NAMES = 'authorization,baggage,content-type,sentry-trace,traceparent';

const running = [];
let issuer;
let pages;
let extension;
let stranger;
let browser;
let page;
let bearer;

/** Starts a function with these variables and returns the HTTP front before it. */
async function serve(variables) {
  const lambda = await startFunction({
    ...DEV_LIVEKIT,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
    ALLOWED_ORIGINS: `${pages.origin},${extension.origin}`,
    ...variables,
  });
  const gateway = await startGateway(lambda);
  running.push(gateway, lambda);
  return { ...gateway, endpoint: `${gateway.url}/token` };
}

/** In a page: sends a request with the headers, and returns what the page can read of the response. */
const send = (from, url, headers) => from.evaluate(async ([endpoint, sent]) => {
  try {
    const response = await fetch(endpoint, { method: 'POST', headers: sent, body: '{"room_name":"standup"}' });
    const [retryAfter, challenge] = ['retry-after', 'www-authenticate'].map((name) => response.headers.get(name));
    return { status: response.status, retryAfter, challenge, body: await response.json() };
  } catch (error) {
    return { error: error.message };
  }
}, [url, headers]);
const headers = (more) => ({ Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json', ...more });

before(async () => {
  issuer = await startIssuer({ keys: [await newKey('RS256')] });
  pages = await startPages();
  [extension, stranger] = [makeExtension('listed'), makeExtension('not listed')];
  browser = await startBrowser({ extensions: [extension, stranger] });
  page = await browser.visit(pages.origin);
  bearer = (await signIn(issuer, 'alice')).access_token;
});
after(async () => {
  await browser?.stop();
  await Promise.all([...running, issuer, pages, extension, stranger].map((part) => part?.stop()));
});

describe('headers of tracing tools', () => {
  let listed;
  let plain;
  before(async () => {
    listed = await serve({ ALLOWED_HEADERS: 'baggage, Sentry-Trace,traceparent' });
    plain = await serve({});
  });

  test('request with ALLOWED_HEADERS passes the preflight', async () => {
    const { status, body, error } = await send(page, listed.endpoint, headers(TRACING));
    assert.deepEqual([status, error], [201, undefined]);
    await judgeToken(body.participant_token, { ...ALICE, room: 'standup' });
    assert.deepEqual(listed.seen.map(({ method }) => method), ['OPTIONS', 'POST']);
    assert.equal(listed.seen[0].headers['access-control-request-headers'], NAMES);
    for (const [name, value] of Object.entries(TRACING)) assert.equal(listed.seen[1].headers[name], value, name);
  });

  test('request with a further header is not sent', async () => {
    const from = listed.seen.length;
    const { error } = await send(page, listed.endpoint, headers({ ...TRACING, tracestate: 'vendor=1' }));
    assert.equal(error, 'Failed to fetch');
    assert.deepEqual(listed.seen.slice(from).map(({ method }) => method), ['OPTIONS'], 'the token never left the page');
  });

  test('token never leaves the page without ALLOWED_HEADERS', async () => {
    for (const [name, value] of Object.entries(TRACING)) {
      const from = plain.seen.length;
      assert.equal((await send(page, plain.endpoint, headers({ [name]: value }))).error, 'Failed to fetch', name);
      assert.deepEqual(plain.seen.slice(from).map(({ method }) => method), ['OPTIONS'], name);
    }
    assert.equal((await send(page, plain.endpoint, headers({}))).status, 201);
  });
});

describe('an extension without permissions for hosts', () => {
  let gateway;
  before(async () => { gateway = await serve({}); });

  test('listed extension receives a token through the SDK', async () => {
    const popup = await browser.visit(extension.page);
    const { details, error } = await fetchToken(popup, gateway.endpoint, bearer, { roomName: 'standup' });
    assert.equal(error, undefined);
    await judgeToken(details.participantToken, { ...ALICE, room: 'standup' });
    assert.deepEqual(gateway.seen.map(({ method }) => method), ['OPTIONS', 'POST']);
    for (const request of gateway.seen) assert.equal(request.headers.origin, extension.origin);
    assert.equal((await send(popup, gateway.endpoint, headers({}))).status, 201);
  });

  test('unlisted extension receives nothing', async () => {
    const popup = await browser.visit(stranger.page);
    const from = gateway.seen.length;
    const { details, error } = await fetchToken(popup, gateway.endpoint, bearer, { roomName: 'standup' });
    assert.deepEqual([details, /Failed to fetch/.test(error)], [undefined, true], error);
    const seen = gateway.seen.slice(from);
    assert.deepEqual(seen.map(({ method }) => method), ['OPTIONS'], 'the token never left the extension');
    assert.equal(seen[0].headers.origin, stranger.origin);
  });
});

describe('headers of errors are readable on another origin', () => {
  test('page reads Retry-After of a 503', async () => {
    const gateway = await serve({ OIDC_JWKS_URI: `http://127.0.0.1:${await freePort()}/jwks` });
    for (const from of [page, await browser.visit(extension.page)]) {
      const { status, retryAfter, body } = await send(from, gateway.endpoint, headers({}));
      assert.deepEqual([status, body.code], [503, 'unavailable']);
      assert.match(`${retryAfter}`, /^[1-9]\d?$/);
    }
  });

  test('page reads WWW-Authenticate of a 401', async () => {
    const gateway = await serve({});
    const { status, challenge } = await send(page, gateway.endpoint, headers({ Authorization: 'Bearer not.a.token' }));
    assert.equal(status, 401);
    assert.match(`${challenge}`, /^Bearer .*error="invalid_token"/);
  });
});

describe('a session cookie', () => {
  let gateway;
  before(async () => {
    gateway = await serve({ SESSION_COOKIE: '__session' });
    const [name, url] = ['__session', gateway.url];
    await page.context().addCookies([{ name, value: bearer, url, httpOnly: true, sameSite: 'Lax' }]);
  });
  after(() => page.context().clearCookies());

  /** In a page: asks through the SDK without an Authorization header. */
  const fetchWithCookie = (from, options) => from.evaluate(async ([url, init]) => {
    try {
      return { details: await window.LivekitClient.TokenSource.endpoint(url, init).fetch({ roomName: 'standup' }) };
    } catch (error) {
      return { error: error.message };
    }
  }, [gateway.endpoint, options]);

  test('session cookie is sent by the SDK with credentials: "include"', async () => {
    const { details, error } = await fetchWithCookie(page, { credentials: 'include' });
    assert.equal(error, undefined);
    await judgeToken(details.participantToken, { ...ALICE, room: 'standup' });
    assert.equal(gateway.seen.at(-1).headers.cookie, `__session=${bearer}`);
  });

  test('session cookie is not sent without that option', async () => {
    const { error } = await fetchWithCookie(page, {});
    assert.match(error, /received 401 \/ .*missing_token/);
    assert.equal(gateway.seen.at(-1).headers.cookie, undefined);
  });

  test('session cookie is not accepted from an unlisted origin', async () => {
    const elsewhere = await startPages();
    running.push(elsewhere);
    const from = gateway.seen.length;
    const { details, error } = await fetchWithCookie(await browser.visit(elsewhere.origin), { credentials: 'include' });
    assert.deepEqual([details, /Failed to fetch/.test(error)], [undefined, true], error);
    assert.deepEqual(gateway.seen.slice(from).map(({ method }) => method), ['OPTIONS']);
  });
});
