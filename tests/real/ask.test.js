// The recipes of docs/ask.md. The policies and the code of the page run verbatim, except for the address of the service:
// PostgREST and Hasura are stand-ins, Next.js's route handler and Convex's HTTP action run with the packages they import.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { PostgrestClient } from '@supabase/postgrest-js';
import { build } from 'esbuild';
import * as jose from 'jose';
import { AUDIENCE, newKey } from './support/issuer.js';
import { DEV_LIVEKIT, startFunction, tokenEvent } from './support/lambda.js';
import { block } from './support/docs.js';
import { startConvex } from './support/convex.js';

const ISSUER = 'https://idp.example.com/realm';
const SECRET = 'a secret of the app and of roomkey';
const ADA = '4d3f0c1e-5a39-4c0f-9d53-0b6a1d3f5f10';
const BOB = '9c0b8a34-7f6e-4b58-8a0e-1f2d3c4b5a69';
/** Members of rooms, in which each service looks up the caller. */
const MEMBERS = [
  { room: 'standup', user: ADA, role: 'host' },
  { room: 'standup', user: BOB, role: 'viewer' },
  { room: 'a/b & c=d?#%2F', user: ADA, role: 'participant' },
  { room: 'finance', user: ADA, role: 'owner' },
];
const roleOf = (room, user) => MEMBERS.find((member) => member.room === room && member.user === user)?.role ?? null;

let key;
let publicKey;
const running = [];
before(async () => {
  key = await newKey('ES256');
  publicKey = { ...key, d: undefined };
});
after(() => Promise.all(running.map((part) => part.stop())));

/** Returns the access token of a person. */
const bearer = async (sub, claims = {}) => new jose.SignJWT({ sub, email: `${sub}@example.com`, email_verified: true, ...claims })
  .setProtectedHeader({ alg: 'ES256', kid: key.kid })
  .setIssuer(ISSUER).setAudience(AUDIENCE).setIssuedAt().setExpirationTime('5m')
  .sign(await jose.importJWK(key));

/** Returns the verified claims of a request's bearer token, or `null`. */
async function callerOf(headers) {
  const [, token] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
  const verified = token && await jose.jwtVerify(token, await jose.importJWK(publicKey), { issuer: ISSUER }).catch(() => null);
  return verified ? verified.payload : null;
}

/** Serves `answer`, which returns status and JSON for a request. `seen` records the requests. */
async function serve(answer) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers });
    const { status, json } = await answer({ method, url: new URL(url, `http://${headers.host}`), headers });
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
    response.end(json === undefined ? '' : JSON.stringify(json));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service = { url: `http://127.0.0.1:${server.address().port}`, seen, stop: () => { server.closeAllConnections(); server.close(); } };
  running.push(service);
  return service;
}

/** Starts roomkey with the policy of the page that asks `name`, at `url` in place of the service's address. */
async function startRoomkey(name, url) {
  const policy = block('ask', 'toml', `[ask.${name}]`).replace(/https:\/\/[a-z0-9.-]+/, url);
  const roomkey = await startFunction({
    ...DEV_LIVEKIT, OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: AUDIENCE, OIDC_JWKS: JSON.stringify({ keys: [publicKey] }),
    PROFILE_SOURCE: 'claims', PARTICIPANT_IDENTITY: 'sub', ASK_SECRET: SECRET, POLICY: policy,
  });
  running.push(roomkey);
  /** Returns the role, or the status and code of the error. */
  return async (sub, room, claims) => {
    const answer = await roomkey.invoke(tokenEvent(await bearer(sub, claims), room === undefined ? {} : { room_name: room }));
    if (answer.status !== 201) return `${answer.status} ${answer.json.code}`;
    return jose.decodeJwt(answer.json.participant_token).attributes.role;
  };
}

/** The results for every member and for strangers, which are the same with every recipe. */
async function checkMembers(ask) {
  assert.equal(await ask(ADA, 'standup'), 'host');
  assert.equal(await ask(BOB, 'standup'), 'viewer');
  assert.equal(await ask(ADA, 'a/b & c=d?#%2F'), 'participant');
  assert.equal(await ask(BOB, 'a/b & c=d?#%2F'), '403 room_not_allowed');
  assert.equal(await ask(BOB, 'finance'), '403 room_not_allowed');
  assert.equal(await ask(ADA, 'elsewhere'), '403 room_not_allowed');
  assert.equal(await ask(ADA, 'standup&user_id=eq.x'), '403 room_not_allowed');
  assert.equal(await ask(ADA, undefined), '403 room_not_allowed');
  assert.equal(await ask(ADA, 'finance'), '503 unavailable', 'the page does not list this role');
}

describe('Supabase', () => {
  const APIKEY = 'sb_publishable_0123456789abcdef';
  /** PostgREST with row-level security: `select`, `eq.` filters and `limit` on one table, and its errors. */
  const postgrest = async ({ method, url, headers }) => {
    if (headers.apikey !== APIKEY) return { status: 401, json: { message: 'Invalid API key' } };
    const caller = await callerOf(headers);
    if (!caller) return { status: 401, json: { code: 'PGRST301', details: null, hint: null, message: 'No suitable key was found to decode the JWT' } };
    if (method !== 'GET' || url.pathname !== '/rest/v1/members') return { status: 404, json: { code: 'PGRST205', message: 'Could not find the table in the schema cache' } };
    const { select, limit, ...filters } = Object.fromEntries(url.searchParams);
    const rows = MEMBERS.map(({ room, user, role }) => ({ room, user_id: user, role })).filter((row) => row.user_id === caller.sub);
    const matches = (row) => Object.entries(filters).every(([column, filter]) => filter === `eq.${row[column]}`);
    const columns = (row) => Object.fromEntries(select.split(',').map((column) => [column, row[column]]));
    return { status: 200, json: rows.filter(matches).slice(0, Number(limit ?? 1000)).map(columns) };
  };

  test('row-level security decides with the caller’s own token', async () => {
    const supabase = await serve(postgrest);
    await checkMembers(await startRoomkey('supabase', supabase.url));
    for (const { headers } of supabase.seen) {
      assert.equal(headers.apikey, APIKEY);
      assert.equal((await callerOf(headers)).iss, ISSUER);
    }
  });

  test('request is the one of Supabase’s own client', async () => {
    const supabase = await serve(postgrest);
    const ask = await startRoomkey('supabase', supabase.url);
    for (const room of MEMBERS.map((member) => member.room)) {
      await ask(ADA, room);
      const token = supabase.seen.at(-1).headers.authorization;
      const client = new PostgrestClient(`${supabase.url}/rest/v1`, { headers: { apikey: APIKEY, Authorization: token } });
      const { data, error } = await client.from('members').select('role').eq('room', room).eq('user_id', ADA).limit(1);
      assert.deepEqual([data, error], [[{ role: roleOf(room, ADA) }], null]);
      const [ours, theirs] = supabase.seen.slice(-2).map(({ method, url, headers }) => {
        const { pathname, searchParams } = new URL(url, supabase.url);
        return { method, pathname, query: [...searchParams], apikey: headers.apikey, authorization: headers.authorization, accept: headers.accept };
      });
      // The client accepts any type, or names JSON.
      assert.match(theirs.accept, /^(\*\/\*|application\/json)$/);
      assert.deepEqual(ours, { ...theirs, accept: 'application/json' });
    }
  });

  test('wrong key and missing table are refusals, an outage is none', async () => {
    const outcomes = [];
    for (const answer of [
      () => ({ status: 401, json: { message: 'Invalid API key' } }),
      () => ({ status: 404, json: { code: 'PGRST205' } }),
      () => ({ status: 503, json: { code: 'PGRST001' } }),
      () => ({ status: 200, json: { role: 'host' } }),
    ]) outcomes.push(await (await startRoomkey('supabase', (await serve(answer)).url))(ADA, 'standup'));
    // An object is no list: the rule's own role, since the answer has no `0.role`.
    assert.deepEqual(outcomes, ['403 room_not_allowed', '403 room_not_allowed', '503 unavailable', 'participant']);
  });
});

describe('Next.js', () => {
  /** Compiles the route handler of the page, with `roleOf` in place of the app's database. */
  async function routeHandler() {
    globalThis.roleOf = async (room, user) => roleOf(room, user);
    const code = block('ask', 'ts', 'app/api/livekit/member/route.ts');
    const { outputFiles: [{ text }] } = await build({
      stdin: { contents: code, loader: 'ts' }, bundle: true, write: false, format: 'esm', platform: 'node',
      plugins: [{
        name: 'members',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^@\/lib\/members$/ }, () => ({ path: 'members', namespace: 'app' }));
          onLoad({ filter: /.*/, namespace: 'app' }, () => ({ contents: 'export const { roleOf } = globalThis;' }));
        },
      }],
    });
    return import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
  }

  /** Calls the handler as Next.js does. */
  const nextjs = ({ GET }) => async ({ url, headers }) => {
    if (url.pathname !== '/api/livekit/member') return { status: 404 };
    const response = await GET(new Request(url, { headers }));
    return { status: response.status, json: response.body ? await response.json() : undefined };
  };

  test('route handler verifies the signature and answers with the role', async () => {
    process.env.ASK_SECRET = SECRET;
    const handler = await routeHandler();
    const app = await serve(nextjs(handler));
    await checkMembers(await startRoomkey('nextjs', app.url));
    const { url, headers } = app.seen[0];
    assert.equal(headers.authorization, undefined, 'the token stays with roomkey');
    const call = (changes, path = url) => fetch(app.url + path, { headers: { ...headers, ...changes } }).then(({ status }) => status);
    assert.equal(await call({}), 200);
    assert.equal(await call({ 'x-roomkey-signature': `sha256=${'0'.repeat(64)}` }), 401);
    assert.equal(await call({ 'x-roomkey-signature': '' }), 401);
    assert.equal(await call({ 'x-roomkey-timestamp': String(Math.floor(Date.now() / 1000) - 301) }), 401);
    assert.equal(await call({ 'x-roomkey-timestamp': 'now' }), 401);
    assert.equal(await call({}, url.replace(ADA, BOB)), 401, 'a signature is for one URL');
    process.env.ASK_SECRET = 'another secret of the app';
    assert.equal(await call({}), 401);
  });
});

describe('Convex', () => {
  test('HTTP action answers with the caller’s identity', async () => {
    const convex = await startConvex({
      files: { members: block('ask', 'ts', '// convex/members.ts'), http: block('ask', 'ts', '// convex/http.ts') },
      tables: { members: MEMBERS },
      identityOf: async (headers) => {
        const caller = await callerOf(headers);
        return caller && { subject: caller.sub, issuer: caller.iss, tokenIdentifier: `${caller.iss}|${caller.sub}` };
      },
    });
    const service = await serve(async ({ method, url, headers }) => {
      const response = await convex(new Request(url, { method, headers }));
      return { status: response.status, json: response.body ? await response.json() : undefined };
    });
    await checkMembers(await startRoomkey('convex', service.url));
    const { url } = service.seen[0];
    assert.equal((await fetch(service.url + url)).status, 401, 'a request without a token');
    assert.equal((await fetch(service.url + url, { headers: { authorization: 'Bearer x.y.z' } })).status, 401);
  });
});

describe('Hasura', () => {
  /** A RESTified endpoint with the query of the page, and row permissions by the token. */
  const hasura = async ({ method, url, headers }) => {
    const query = block('ask', 'graphql', 'query Member');
    if (method !== 'GET' || url.pathname !== '/api/rest/livekit/member') return { status: 404, json: { path: '$', error: 'Endpoint not found', code: 'not-found' } };
    const caller = await callerOf(headers);
    if (!caller) return { status: 400, json: { path: '$', error: 'Could not verify JWT: JWSError JWSInvalidSignature', code: 'invalid-jwt' } };
    const variables = [...query.matchAll(/\$(\w+): String!/g)].map(([, name]) => name);
    const given = Object.fromEntries(url.searchParams);
    if (variables.some((name) => !(name in given))) return { status: 400, json: { path: '$', error: 'expecting a value for non-nullable variable', code: 'validation-failed' } };
    const rows = MEMBERS.filter(({ room, user }) => user === caller.sub && room === given.room && user === given.user);
    return { status: 200, json: { members: rows.map(({ role }) => ({ role })) } };
  };

  test('saved query answers with the caller’s own token', async () => {
    const service = await serve(hasura);
    await checkMembers(await startRoomkey('hasura', service.url));
  });

  test('token that Hasura rejects is no refusal', async () => {
    const service = await serve((request) => hasura({ ...request, headers: {} }));
    assert.equal(await (await startRoomkey('hasura', service.url))(ADA, 'standup'), '503 unavailable');
  });
});
