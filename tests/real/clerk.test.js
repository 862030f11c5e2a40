// Clerk: session tokens that Clerk's SDK accepts, other tokens with the same key, and the profile from
// the Backend API.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createClerkClient, verifyToken } from '@clerk/backend';
import * as jose from 'jose';
import { CATEGORY, ORIGIN, SECRET_KEY, USERS, startClerk } from './support/clerk.js';
import { DEV_LIVEKIT, event, startFunction, tokenEvent } from './support/lambda.js';
import { startMoto } from './support/moto.js';
import { judge } from './support/judge.js';
import { eventually } from './support/processes.js';

const ALICE = {
  identity: 'alice@example.com',
  name: 'Alice Ångström',
  attributes: { imageUrl: 'https://img.example.com/alice.png' },
};

let clerk;
before(async () => { clerk = await startClerk(); });
after(() => clerk.stop());

const trusting = (env) => startFunction({
  ...DEV_LIVEKIT,
  OIDC_PROVIDER: 'clerk',
  OIDC_ISSUER: clerk.url,
  OIDC_AUTHORIZED_PARTIES: ORIGIN,
  CLERK_API_URL: clerk.url,
  CLERK_SECRET_KEY: SECRET_KEY,
  ...env,
});

/** Returns the result of Clerk's SDK for a token: its claims or an error. */
const clerksVerdict = (token) => verifyToken(token, {
  secretKey: SECRET_KEY, apiUrl: clerk.url, authorizedParties: [ORIGIN],
});

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, String(answer.bytes));
  assert.equal(answer.json.code, code);
}

describe('session tokens', () => {
  let lambda;
  before(async () => { lambda = await trusting(); });
  after(() => lambda.stop());
  const ask = async (...token) => lambda.invoke(tokenEvent(await clerk.sign(...token)));

  test('what Clerk\'s SDK accepts; email, name and picture come from the Backend API, once', async () => {
    const token = await clerk.sign('user_alice');
    assert.equal((await clerksVerdict(token)).sub, 'user_alice');
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
    await judge(await ask('user_alice'), ALICE);
    assert.equal(clerk.askedFor('user_alice'), 1);
  });

  test('Clerk\'s SDK reads the same user', async () => {
    const { users } = createClerkClient({ secretKey: SECRET_KEY, apiUrl: clerk.url });
    const user = await users.getUser('user_alice');
    assert.equal(user.primaryEmailAddress.emailAddress, ALICE.identity);
    assert.equal(user.fullName, ALICE.name);
    assert.equal(user.imageUrl, ALICE.attributes.imageUrl);
  });

  test('session token without category and version is accepted', async () => {
    const claims = { v: undefined, sts: undefined, fva: undefined, jti: undefined };
    const token = await clerk.sign('user_alice', claims, { cat: undefined });
    await clerksVerdict(token);
    await judge(await lambda.invoke(tokenEvent(token)), ALICE);
  });

  test('session token in an organization is accepted', async () => {
    const o = { id: 'org_1', slg: 'acme', rol: 'admin', per: 'manage', fpm: '1' };
    await judge(await ask('user_alice', { o }), ALICE);
  });

  /** Reasons in the log, and the difference of each token from a session token. */
  const others = {
    'a token of a template': ['header field cat', 'user_alice', { sid: undefined, sts: undefined }, { cat: CATEGORY.template }],
    'a token of a template, in a session\'s clothes': ['header field cat', 'user_alice', {}, { cat: CATEGORY.template }],
    'no session at all': ['claim sid', 'user_alice', { sid: undefined }],
    'somebody who has yet to finish signing in': ['claim sts', 'user_alice', { sts: 'pending' }],
    'a machine': ['header field cat', 'mch_1', { sid: undefined, sts: undefined }, { cat: CATEGORY.machine }],
    'a machine, in a session\'s clothes': ['claim sub', 'mch_1'],
    'an OAuth access token': ['header field typ', 'user_alice', { scope: 'openid email' }, { typ: 'at+jwt', cat: undefined }],
    'another page\'s session': ['azp', 'user_alice', { azp: 'https://evil.example.com' }],
    'a session that no page is known of': ['azp', 'user_alice', { azp: undefined }],
  };
  for (const [name, [reason, ...parts]] of Object.entries(others)) {
    test(`other token with the same key is rejected: ${name}`, async () => {
      const token = await clerk.sign(...parts);
      await jose.jwtVerify(token, jose.createLocalJWKSet(clerk.keySet), { issuer: clerk.url });
      const before = lambda.log().length;
      assertProblem(await lambda.invoke(tokenEvent(token)), 401, 'invalid_token');
      const logged = () => lambda.log().slice(before).match(/"reason":"([^"]*)"/)?.[1];
      assert.match(await eventually('the reason is logged', logged), new RegExp(reason));
    });
  }

  test('of these, Clerk\'s own `verifyToken` refuses only some', async () => {
    const refused = [];
    for (const [name, [, ...parts]] of Object.entries(others)) {
      await clerksVerdict(await clerk.sign(...parts)).catch(() => refused.push(name));
    }
    assert.deepEqual(refused, [
      'a machine', 'an OAuth access token', 'another page\'s session', 'a session that no page is known of',
    ]);
  });

  test('expired session token is rejected', async () => {
    const now = Math.floor(Date.now() / 1000);
    assertProblem(await ask('user_alice', { iat: now - 70, nbf: now - 80, exp: now - 10 }), 401, 'token_expired');
  });
});

describe('the profile from the Backend API', () => {
  let lambda;
  before(async () => { lambda = await trusting(); });
  after(() => lambda.stop());
  const ask = async (subject) => lambda.invoke(tokenEvent(await clerk.sign(subject)));

  test('no name', async () => judge(await ask('user_nora'), { identity: 'nora@example.com', name: 'Unnamed User' }));

  test('unknown user is rejected', async () => {
    const answer = await ask('user_gone');
    assertProblem(answer, 404, 'user_not_found');
    assert.equal(answer.json.title, 'User not found');
  });

  test('user without a primary address is rejected despite another address', async () => {
    const answer = await ask('user_nomail');
    assertProblem(answer, 404, 'email_not_set');
    assert.equal(answer.json.title, 'Email address not set');
  });

  for (const subject of ['user_mallory', 'user_unasked']) {
    test(`unverified primary address is rejected: ${subject}`, async () => {
      assertProblem(await ask(subject), 403, 'email_not_verified');
    });
  }

  for (const subject of ['user_banned', 'user_locked']) {
    test(`user is rejected: ${subject}`, async () => assertProblem(await ask(subject), 401, 'invalid_token'));
  }

  // A separate function per test, because a failure starts a cool-down of ten seconds.
  const inTrouble = async (subject, trouble, check) => {
    const own = await trusting();
    try {
      clerk.trouble.set(subject, trouble);
      await check(async (someone) => own.invoke(tokenEvent(await clerk.sign(someone))));
    } finally {
      clerk.trouble.clear();
      await own.stop();
    }
  };

  test('rate limit of Clerk results in 503 with its Retry-After and a cool-down for all users', async () => {
    await inTrouble('user_alice', { status: 429, headers: { 'retry-after': '7' } }, async (askOwn) => {
      const busy = await askOwn('user_alice');
      assertProblem(busy, 503, 'unavailable');
      assert.equal(busy.headers['retry-after'], '7');
      const asked = clerk.seen.length;
      assertProblem(await askOwn('user_nora'), 503, 'unavailable');
      assert.equal(clerk.seen.length, asked);
    });
    await judge(await ask('user_alice'), ALICE);
  });

  for (const status of [500, 503, 302]) {
    test(`Backend API status ${status} results in 503 instead of a token without a name`, async () => {
      const trouble = { status, headers: { location: `${clerk.url}/v1/users/user_alice` } };
      await inTrouble('user_nora2', trouble, async (askOwn) => {
        const answer = await askOwn('user_nora2');
        assertProblem(answer, 503, 'unavailable');
        const wait = Number(answer.headers['retry-after']);
        assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 30, `${wait}`);
      });
    });
  }

  test('another user\'s record', async () => {
    USERS.user_switched = USERS.user_alice;
    assertProblem(await ask('user_switched'), 401, 'invalid_token');
  });

  test('subject with a path to another resource is rejected', async () => {
    for (const subject of ['../jwks', 'user_alice/../user_nora', 'user_alice?x=', '..']) {
      assertProblem(await ask(subject), 404, 'user_not_found');
    }
    const isKnown = (path) => /^\/(\.well-known\/jwks\.json|v1\/jwks|v1\/users\/[^/]+)$/.test(path);
    assert.deepEqual(clerk.seen.filter((path) => !isKnown(path)), []);
  });

  test('log contains neither the key nor personal data', () => {
    assert.match(lambda.log(), /"code":"email_not_verified"/);
    for (const text of [SECRET_KEY, 'alice', 'Ångström', '@']) assert.ok(!lambda.log().includes(text), text);
  });
});

describe('policies for session tokens of version 2', () => {
  const o = { id: 'org_1', slg: 'acme', rol: 'admin', per: 'read,manage', fpm: '3,1' };
  const claims = { v: 2, o, fea: 'o:calls,u:dashboard', pla: 'o:pro' };
  const rule = (when) => `[[allow]]\nwhen = { ${when} }\nrooms = ["{o.id}:*"]\nrole = "participant"\n`;
  /** The condition of a rule, and whether it matches the claims above. */
  const conditions = [
    ['"o.rol" = "admin"', true],
    ['"o.rol" = "org:admin"', false],
    ['"o.per" = { word = "manage" }', true],
    ['"o.per" = "manage"', false],
    ['"o.per" = { word = "man" }', false],
    ['fea = { word = "o:calls" }', true],
    ['fea = { word = "calls" }', false],
    ['pla = "o:pro"', true],
    ['org_role = "org:admin"', false],
  ];

  test('Clerk\'s SDK reads role, permissions and features of the same token', async () => {
    const { authenticateRequest } = createClerkClient({
      secretKey: SECRET_KEY, apiUrl: clerk.url, publishableKey: `pk_test_${btoa(`${new URL(clerk.url).host}$`)}`,
    });
    const token = await clerk.sign('user_alice', claims);
    const request = new Request(ORIGIN, { headers: { authorization: `Bearer ${token}` } });
    const state = await authenticateRequest(request, { authorizedParties: [ORIGIN] });
    const auth = state.toAuth();
    assert.equal(auth.orgId, 'org_1');
    assert.equal(auth.orgRole, 'org:admin');
    assert.equal(auth.has({ plan: 'org:pro' }), true);
    assert.equal(auth.has({ feature: 'org:calls' }), true);
  });

  for (const [when, matches] of conditions) {
    test(`rule ${matches ? 'matches' : 'does not match'}: ${when}`, async () => {
      const lambda = await trusting({ POLICY: rule(when) });
      try {
        const token = await clerk.sign('user_alice', claims);
        const answer = await lambda.invoke(tokenEvent(token, { room_name: 'org_1:standup' }));
        if (matches) await judge(answer, { ...ALICE, room: 'org_1:standup' });
        else assertProblem(answer, 403, 'room_not_allowed');
        assertProblem(await lambda.invoke(tokenEvent(token, { room_name: 'org_2:standup' })), 403, 'room_not_allowed');
      } finally {
        await lambda.stop();
      }
    });
  }
});

describe('other configurations', () => {
  const running = [];
  const function_ = async (env) => {
    running.push(await trusting(env));
    return running.at(-1);
  };
  after(() => Promise.all(running.map((program) => program.stop())));

  test('customized session token of a recognized issuer requires no Backend API request', async () => {
    const issuer = 'https://clerk.meet.example.com';
    const lambda = await function_({
      OIDC_PROVIDER: '', OIDC_ISSUER: issuer, OIDC_JWKS: JSON.stringify(clerk.keySet), CLERK_SECRET_KEY: 'sk_test_wrong',
    });
    const said = {
      iss: issuer, email: ALICE.identity, email_verified: true, name: ALICE.name, picture: ALICE.attributes.imageUrl,
    };
    await judge(await lambda.invoke(tokenEvent(await clerk.sign('user_alice', said))), ALICE);
    const pending = await clerk.sign('user_alice', { ...said, sts: 'pending' });
    assertProblem(await lambda.invoke(tokenEvent(pending)), 401, 'invalid_token');
  });

  test('a wrong secret key is the operator\'s fault: 503', async () => {
    const lambda = await function_({ CLERK_SECRET_KEY: 'sk_test_wrong' });
    assertProblem(await lambda.invoke(tokenEvent(await clerk.sign('user_alice'))), 503, 'unavailable');
  });

  test('key in the secret with others is used', async () => {
    const moto = await startMoto();
    running.push(moto);
    const secret = {
      LIVEKIT_API_KEY: 'devkey',
      LIVEKIT_API_SECRET: 'secret',
      CLERK_SECRET_KEY: SECRET_KEY,
      BACKEND_API_KEYS: { app: 'a secret of another use, and long enough' },
    };
    await moto.ask('CreateSecret', { Name: 'livekit', SecretString: JSON.stringify(secret) });
    const lambda = await function_({
      ...moto.env, LIVEKIT_SECRET_ID: 'livekit', LIVEKIT_API_KEY: '', LIVEKIT_API_SECRET: '', CLERK_SECRET_KEY: '',
    });
    await judge(await lambda.invoke(tokenEvent(await clerk.sign('user_alice'))), ALICE);
  });

  test('session cookie is accepted from listed origins only', async () => {
    const lambda = await function_({ SESSION_COOKIE: '__session', ALLOWED_ORIGINS: ORIGIN });
    const token = await clerk.sign('user_alice');
    const from = (origin) => lambda.invoke(event({
      headers: { 'content-type': 'application/json', cookie: `theme=dark; __session=${token}`, ...(origin && { origin }) },
      body: '{}',
    }));
    const answer = await from(ORIGIN);
    await judge(answer, ALICE);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    for (const origin of ['https://evil.example.com', 'null', undefined]) {
      assertProblem(await from(origin), 403, 'origin_not_allowed');
    }
  });

  test('function does not start with a session cookie and every origin', async () => {
    const lambda = await function_({ SESSION_COOKIE: '__session', ALLOWED_ORIGINS: '*' });
    await assert.rejects(lambda.invoke(tokenEvent(await clerk.sign('user_alice'))));
    await eventually('the reason is logged', () => /ALLOWED_ORIGINS must list the origins/.test(lambda.log()));
  });
});
