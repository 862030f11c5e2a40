// Requests to several functions with accepted and rejected callers and failing upstreams. Requests and responses are
// recorded together with the log lines.
import { createHash, createHmac } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import { AUDIENCE, PEOPLE, newKey, startIssuer } from './issuer.js';
import { DEV_LIVEKIT, event, startFunction, tokenEvent } from './lambda.js';
import { startMoto } from './moto.js';
import { eventually, freePort, repository } from './processes.js';
import { signIn } from './sign_in.js';

export const SECRET = 'a-secret-that-only-this-suite-knows....';
const BACKEND = { key: 'backend-1', secret: 'another-secret-of-thirty-two-bytes..' };
const LIVEBLOCKS = 'sk_of_this_suite_alone';
const INVITATION_SECRET = 'an invitation secret of this suite';
const POLICY = `
allow = [
  { when = { email = "alice@example.com", email_verified = true }, rooms = ["standup", "town-hall"], role = "moderator" },
  { rooms = ["standup"], role = "participant" },
]`;
const BANS = '/v1/rooms/{room}/bans';
const INVITATIONS = '/v1/rooms/{room}/invitations';
const WAITING = '/v1/rooms/{room}/waiting';
const ENTRY = '/v1/rooms/{room}/waiting/{identity}';
const WEBHOOK = '/v1/livekit-webhook';
const MUTE = '/v1/rooms/{room}/participants/{identity}/mute';

/** Started functions, each an execution environment, in the order of their starts. */
export const functions = [];
/** Requests with their known callers and their responses. `file` is the name of an event. */
export const sent = [];
/** Strings that no line may contain. */
export const confidential = new Set([SECRET, BACKEND.secret, LIVEBLOCKS, INVITATION_SECRET]);
/** The issuer and Secrets Manager, which record their requests. */
export const upstream = {};
let slow;
let livekit;
let app;
let third;

/** Returns the keyed hash that the page describes. */
export const subjectOf = (who) => createHmac('sha256', SECRET).update(`roomkey pseudonym\0${who}`).digest('hex').slice(0, 16);

/** Returns the lines of the function so far, without the lines of the emulator. */
export const linesOf = (lambda) => lambda.log().split('\n').filter((line) => line && !/^(START|END|REPORT|INIT_REPORT) /.test(line));

/** Returns the line of a request. */
export const requestOf = ({ lambda, id }) => linesOf(lambda).map((line) => JSON.parse(line))
  .find((line) => line.message === 'request' && line.request_id === id);

async function environment(env) {
  const lambda = await startFunction({ ...env, AWS_LAMBDA_FUNCTION_NAME: 'roomkey-TokenFunction-Qx7dR2mVb1Kc' });
  functions.push(lambda);
  return lambda;
}

/**
 * Invokes `lambda` with the event `question`, a unique request ID and a trace ID. `known` contains facts about the caller.
 */
async function ask(lambda, question, known = {}) {
  const id = `${String(sent.length).padStart(5, '0')}PLvHcESHA=`;
  const trace = `1-6920b0f5-${createHash('sha256').update(id).digest('hex').slice(0, 24)}`;
  if (question.requestContext?.requestId) question.requestContext.requestId = id;
  if (question.headers) question.headers['x-amzn-trace-id'] = `Root=${trace}`;
  const answer = await lambda.invoke(question);
  const token = answer.json?.participant_token ?? (answer.status === 200 ? answer.json?.token : undefined);
  if (token) token.split('.').forEach((part) => confidential.add(part));
  const { jti, sub } = token ? JSON.parse(Buffer.from(token.split('.')[1], 'base64url')) : {};
  const { code = 'ok', instance, invitation } = answer.json ?? {};
  sent.push({ lambda, id, trace, status: answer.status, code, instance, invitation, jti, ...known, ...(known.isGuest && { person: sub }) });
  return sent.at(-1);
}

function backendRequest(body, path = '/v1/token', method = 'POST') {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const text = [method, path, timestamp, createHash('sha256').update(body).digest('hex')].join('\n');
  const signature = createHmac('sha256', BACKEND.secret).update(text).digest('hex');
  confidential.add(signature);
  return event({
    method,
    path,
    headers: { 'content-type': 'application/json', 'x-api-key': BACKEND.key, 'x-rtcstack-timestamp': timestamp, 'x-rtcstack-signature': `sha256=${signature}` },
    body,
  });
}

/** Returns an event of LiveKit's webhook. */
async function webhookRequest(body) {
  const token = await new jose.SignJWT({ sha256: createHash('sha256').update(body).digest('base64') })
    .setProtectedHeader({ alg: 'HS256' }).setIssuer(DEV_LIVEKIT.LIVEKIT_API_KEY).setNotBefore('0s').setExpirationTime('5m')
    .sign(Buffer.from(SECRET));
  token.split('.').forEach((part) => confidential.add(part));
  return event({ path: WEBHOOK, headers: { 'content-type': 'application/webhook+json', authorization: token }, body });
}

/** Starts the upstreams and functions, and sends all requests. */
export async function start() {
  upstream.issuer = await startIssuer({ keys: [await newKey('RS256')] });
  upstream.moto = await startMoto();
  await upstream.moto.ask('CreateSecret', {
    Name: 'livekit/keys',
    SecretString: JSON.stringify({
      LIVEKIT_URL: `ws://127.0.0.1:${await freePort()}`, LIVEKIT_API_KEY: 'APIkeyOfTheSuite', LIVEKIT_API_SECRET: SECRET,
      BACKEND_API_KEYS: { [BACKEND.key]: BACKEND.secret }, LIVEBLOCKS_SECRET_KEY: LIVEBLOCKS,
    }),
  });
  const bearers = {};
  for (const [person, claims] of Object.entries(PEOPLE)) {
    bearers[person] = (await signIn(upstream.issuer, person)).access_token;
    const values = Object.values(claims).filter((value) => typeof value === 'string');
    [...bearers[person].split('.'), ...values].forEach((word) => confidential.add(word));
  }
  const trusting = { OIDC_ISSUER: upstream.issuer.url, OIDC_AUDIENCE: AUDIENCE };
  const first = await environment({
    ...upstream.moto.env, ...trusting, LIVEKIT_SECRET_ID: 'livekit/keys', POLICY,
    SECRET_TTL_SECONDS: '1', JWKS_TTL_SECONDS: '1', JWKS_COOLDOWN_SECONDS: '1',
    LIVEBLOCKS_API_URL: `http://127.0.0.1:${await freePort()}`,
  });
  await everyDay(first, bearers);
  // This function requests profiles. The first request waits for the keys, so that they are cached afterwards.
  const second = await environment({ ...DEV_LIVEKIT, LIVEKIT_API_SECRET: SECRET, ...trusting, PROFILE_SOURCE: 'userinfo' });
  await ask(second, tokenEvent('opaque'), { door: '/token' });
  // This function keeps bans. Its LiveKit server accepts every request.
  livekit = createServer((request, response) => response.end('{}')).listen(0, '127.0.0.1');
  await once(livekit, 'listening');
  third = await environment({
    ...DEV_LIVEKIT, LIVEKIT_API_SECRET: SECRET, LIVEKIT_URL: `ws://127.0.0.1:${livekit.address().port}`, ...trusting,
    BACKEND_API_KEYS: JSON.stringify({ [BACKEND.key]: BACKEND.secret }),
    INVITATION_SECRET, POLICY, ...await upstream.moto.createTable('bans'),
  });
  await somebodyIsBanned(third, bearers);
  await guestsEnter(third);
  await guestsWait(third, bearers);
  await appDecides(trusting, bearers);
  await everythingFails(first, second, trusting, bearers);
  await everyEvent();
  await eventually('every line is there', () => sent.filter(({ file }) => !file).every(requestOf)
    && functions.flatMap(linesOf).filter((line) => JSON.parse(line).message === 'request').length === sent.length);
}

export async function stop() {
  for (const server of [slow, livekit, app]) {
    server?.closeAllConnections();
    server?.close();
  }
  await Promise.all([...functions.map((lambda) => lambda.stop()), upstream.moto?.stop(), upstream.issuer?.stop()]);
}

/** Sends requests of people, backends and unauthenticated clients. Only LiveKit and Liveblocks are unavailable. */
async function everyDay(lambda, bearers) {
  const join = (person, room, body = {}) => ask(lambda, tokenEvent(bearers[person], { room_name: room, ...body }), { person, room, door: '/token' });
  await join('alice', 'standup');
  await join('alice', 'town-hall', { participant_metadata: 'a thing that alice says' });
  await join('alice', 'standup');
  await join('nora', 'standup');
  for (const room of ['town-hall', 'town-hall', 'board']) await join('nora', room);
  await join('alice', 'standup', { room_config: { agents: [{ agent_name: 'spy' }] } });
  await join('mallory', 'standup');
  await join('nomail', 'standup');
  await join('alice', 'standup', { participant_identity: 'bob@example.com' });
  for (const bearer of [`${bearers.alice}x`, 'opaque', undefined]) await ask(lambda, tokenEvent(bearer), { door: '/token' });
  await ask(lambda, event({ method: 'GET', path: '/health', headers: { 'x-forwarded-for': '192.0.2.77' } }), { door: '/health' });
  await ask(lambda, event({ path: '/wp-login.php', query: 'password=hunter2' }));
  await ask(lambda, event({ method: 'GET', path: '/token' }), { door: '/token' });
  await ask(lambda, backendRequest('{"roomId":"support","userId":"carol@example.com","name":"Carol Example","role":"viewer"}'), {
    person: 'carol@example.com', room: 'support', door: '/v1/token',
  });
  for (const person of ['nora', 'alice']) {
    const question = event({ path: '/v1/rooms/standup/participants/bob@example.com/mute', headers: { authorization: `Bearer ${bearers[person]}` } });
    await ask(lambda, question, { person, room: 'standup', door: MUTE });
  }
  await ask(lambda, event({ path: '/api/liveblocks-auth', headers: { authorization: `Bearer ${bearers.alice}` } }), {
    person: 'alice', door: '/api/liveblocks-auth',
  });
  for (const word of ['a thing that alice says', '192.0.2.77', 'hunter2', 'wp-login', 'carol@', 'Carol', 'bob@', 'spy']) confidential.add(word);
}

/** Bans a person, who then requests a token, and joins with an earlier one. */
async function somebodyIsBanned(lambda, bearers) {
  const body = '{"identity":"nora@example.com","reason":"a secret reason"}';
  confidential.add('a secret reason');
  await ask(lambda, backendRequest(body, '/v1/rooms/*/bans'), { room: '*', door: BANS });
  await ask(lambda, tokenEvent(bearers.nora, { room_name: 'standup' }), { person: 'nora', room: 'standup', door: '/token' });
  const joined = '{"event":"participant_joined","room":{"name":"standup"},"participant":{"identity":"nora@example.com"}}';
  await ask(lambda, await webhookRequest(joined), { room: 'standup', door: WEBHOOK });
}

/** Creates an invitation, which one guest uses, and others alter or use too late. */
async function guestsEnter(lambda) {
  const body = '{"role":"participant","seconds":600}';
  const { invitation } = await ask(lambda, backendRequest(body, '/v1/rooms/standup/invitations'), { room: 'standup', door: INVITATIONS });
  invitation.split('.').forEach((part) => confidential.add(part));
  await ask(lambda, tokenEvent(invitation), { isGuest: true, room: 'standup', door: '/token' });
  await ask(lambda, tokenEvent(`${invitation}A`), { door: '/token' });
  const claims = jose.decodeJwt(invitation);
  const expired = await new jose.SignJWT({ ...claims, exp: claims.exp - 3600 })
    .setProtectedHeader(jose.decodeProtectedHeader(invitation)).sign(Buffer.from(INVITATION_SECRET));
  expired.split('.').forEach((part) => confidential.add(part));
  await ask(lambda, tokenEvent(expired), { door: '/token' });
}

/** Lets guests of one invitation wait, decides about them, and revokes an invitation that is used up. */
async function guestsWait(lambda, bearers) {
  const post = (path, body) => ask(lambda, backendRequest(JSON.stringify(body), path), { room: 'standup', door: INVITATIONS });
  const { invitation } = await post('/v1/rooms/standup/invitations', { role: 'participant', seconds: 600, lobby: true });
  invitation.split('.').forEach((part) => confidential.add(part));
  const identityOf = (secret, token) => {
    const tag = createHmac('sha256', INVITATION_SECRET).update(`roomkey guest\0${jose.decodeJwt(token).jti}\0${secret}`).digest();
    return `guest:${tag.subarray(0, 16).toString('base64url')}`;
  };
  const enter = (secret, token = invitation) => ask(lambda, {
    ...tokenEvent(token), headers: { ...tokenEvent(token).headers, 'x-roomkey-guest': secret },
  }, { person: identityOf(secret, token), room: 'standup', door: '/token' });
  const moderate = (method, path, door, body = '') => ask(lambda, event({
    method, path, headers: { authorization: `Bearer ${bearers.alice}`, 'content-type': 'application/json' }, body,
  }), { person: 'alice', room: 'standup', door });
  const [first, second] = ['a'.repeat(22), 'b'.repeat(22)];
  await enter(first);
  await enter(first);
  await enter(second);
  await moderate('GET', '/v1/rooms/standup/waiting', WAITING);
  const paths = [first, second].map((secret) => `/v1/rooms/standup/waiting/${identityOf(secret, invitation)}`);
  await moderate('POST', paths[0], ENTRY, '{"admit":true}');
  await moderate('POST', paths[1], ENTRY, '{"admit":false}');
  await enter(first);
  await enter(second);
  const { invitation: single } = await post('/v1/rooms/standup/invitations', { role: 'participant', seconds: 600, uses: 1 });
  single.split('.').forEach((part) => confidential.add(part));
  await enter(first, single);
  await enter(second, single);
  const path = `/v1/rooms/standup/invitations/${jose.decodeJwt(single).jti}`;
  await ask(lambda, backendRequest('', path, 'DELETE'), { room: 'standup', door: `${INVITATIONS}/{jti}` });
  await enter(first, single);
}

/** Starts a function whose policy asks an app, which refuses a caller, fails and accepts, and sends requests to the limit. */
async function appDecides(trusting, bearers) {
  const statuses = [403, 500];
  app = createServer((request, response) => response.writeHead(statuses.shift() ?? 200).end()).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const policy = `
allow = [{ rooms = ["standup"], role = "participant" }, { rooms = ["team-*"], role = "participant", ask = "members" }]
[ask.members]
url = "http://127.0.0.1:${app.address().port}/members/{sub}"`;
  const lambda = await environment({ ...DEV_LIVEKIT, LIVEKIT_API_SECRET: SECRET, ...trusting, POLICY: policy, TOKENS_PER_MINUTE: '30' });
  const join = (room, known = { room }) => ask(lambda, tokenEvent(bearers.nora, { room_name: room }), { person: 'nora', door: '/token', ...known });
  for (const room of [...Array(3).fill('team-1'), ...Array(27).fill('standup')]) await join(room);
  await join('standup', {});
}

/** Stops the issuer and Secrets Manager for good, and sends requests. */
async function everythingFails(first, second, trusting, bearers) {
  await Promise.all([upstream.issuer.stop(), upstream.moto.stop()]);
  await ask(second, tokenEvent(bearers.nora), { person: 'nora', door: '/token' });
  await ask(third, tokenEvent(bearers.alice, { room_name: 'standup' }), { person: 'alice', room: 'standup', door: '/token' });
  await eventually('keys and secret are old, and serve', async () => {
    const request = await ask(first, tokenEvent(bearers.alice, { room_name: 'standup' }), { person: 'alice', room: 'standup', door: '/token' });
    await eventually('the line is there', () => requestOf(request));
    return requestOf(request).StaleServes;
  }, 30);

  // Without keys, no caller can be authenticated.
  const unknown = (lambda) => ask(lambda, tokenEvent(bearers.nora), { door: '/token' });
  // With several issuers, a failed fetch has the issuer's name.
  await unknown(await environment({
    ...DEV_LIVEKIT, OIDC_ISSUER: `staff=${trusting.OIDC_ISSUER},partners=http://127.0.0.1:${await freePort()}`,
    OIDC_STAFF_AUDIENCE: AUDIENCE, OIDC_PARTNERS_AUDIENCE: AUDIENCE,
  }));
  // An issuer whose UserInfo never responds, and a timeout of the function below that of the request.
  const key = await newKey('RS256');
  slow = createServer((request, response) => {
    const url = `http://127.0.0.1:${slow.address().port}`;
    if (request.url === '/jwks') response.end(JSON.stringify({ keys: [{ kty: key.kty, n: key.n, e: key.e, kid: key.kid }] }));
    if (request.url.startsWith('/.well-known/')) response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks`, userinfo_endpoint: `${url}/me` }));
  }).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const url = `http://127.0.0.1:${slow.address().port}`;
  const hasty = await environment({
    ...DEV_LIVEKIT, LIVEKIT_API_SECRET: SECRET, OIDC_ISSUER: url, OIDC_AUDIENCE: AUDIENCE, PROFILE_SOURCE: 'userinfo', AWS_LAMBDA_FUNCTION_TIMEOUT: '3',
  });
  const token = await new jose.SignJWT({ sub: 'dora', aud: AUDIENCE, iss: url }).setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setExpirationTime('5 minutes').sign(await jose.importJWK(key, 'RS256'));
  token.split('.').forEach((part) => confidential.add(part));
  await ask(hasty, tokenEvent(token), { person: 'dora', door: '/token' });
}

/** Sends every event of the repository, which covers the format of each gateway and each rejection. */
async function everyEvent() {
  const read = (name) => JSON.parse(readFileSync(`${repository}events/${name}`, 'utf8'));
  const lambda = await environment(read('env.json').TokenFunction);
  for (const file of readdirSync(`${repository}events`).filter((name) => name.endsWith('.json') && name !== 'env.json')) {
    const question = read(file);
    const [, bearer = ''] = JSON.stringify(question).match(/Bearer ([\w.-]+)/) ?? [];
    bearer.split('.').filter((part) => part.length > 20).forEach((part) => confidential.add(part));
    await ask(lambda, question, { file, hasGateway: Boolean(question.requestContext?.requestId) });
  }
}
