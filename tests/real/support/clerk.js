// A stand-in for Clerk: an instance's Frontend API (the issuer with its keys) and the Backend API (keys and users, with
// the secret key) at one address. Its tokens have the format of Clerk's.
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import { newKey } from './issuer.js';

export const SECRET_KEY = 'sk_test_a_key_that_opens_the_look_alike_alone';
export const ORIGIN = 'https://meet.example.com';

/** Values of the header's `cat` (`@clerk/backend`, `jwtCategories`). */
export const CATEGORY = { session: 'cl_B7d4PD111AAA', template: 'cl_B7d4PD222AAA', machine: 'cl_B7d4PD333AAA' };

const address = (id, email, status) => ({
  object: 'email_address',
  id,
  email_address: email,
  verification: status && { object: 'verification', status, strategy: 'email_code', attempts: 1, expire_at: 1 },
  linked_to: [],
});

const user = (id, rest) => ({
  object: 'user',
  id,
  username: null,
  first_name: null,
  last_name: null,
  has_image: false,
  image_url: 'https://img.example.com/default.png',
  primary_email_address_id: null,
  primary_phone_number_id: null,
  primary_web3_wallet_id: null,
  email_addresses: [],
  phone_numbers: [],
  web3_wallets: [],
  external_accounts: [],
  public_metadata: {},
  private_metadata: {},
  unsafe_metadata: {},
  password_enabled: true,
  two_factor_enabled: false,
  banned: false,
  locked: false,
  ...rest,
});

const verified = (id, email) => address(id, email, 'verified');

export const USERS = Object.fromEntries([
  user('user_alice', {
    first_name: 'Alice',
    last_name: 'Ångström',
    image_url: 'https://img.example.com/alice.png',
    primary_email_address_id: 'idn_2',
    email_addresses: [verified('idn_1', 'old@example.com'), verified('idn_2', 'alice@example.com')],
  }),
  user('user_nora', {
    primary_email_address_id: 'idn_3',
    email_addresses: [verified('idn_3', 'nora@example.com')],
  }),
  user('user_mallory', {
    first_name: 'Mallory',
    primary_email_address_id: 'idn_4',
    email_addresses: [address('idn_4', 'alice@example.com', 'unverified'), verified('idn_5', 'mallory@example.com')],
  }),
  user('user_unasked', {
    primary_email_address_id: 'idn_6',
    email_addresses: [address('idn_6', 'alice@example.com', null)],
  }),
  user('user_nomail', {
    first_name: 'No',
    last_name: 'Mail',
    email_addresses: [verified('idn_7', 'spare@example.com')],
  }),
  user('user_banned', {
    banned: true,
    primary_email_address_id: 'idn_8',
    email_addresses: [verified('idn_8', 'banned@example.com')],
  }),
  user('user_locked', {
    locked: true,
    primary_email_address_id: 'idn_9',
    email_addresses: [verified('idn_9', 'locked@example.com')],
  }),
].map((entry) => [entry.id, entry]));

/**
 * Starts the stand-in. `trouble` maps a user's ID to a response `{ status, headers }` that replaces the user. `seen`
 * records the requested paths.
 */
export async function startClerk() {
  const key = await newKey('RS256');
  key.kid = 'ins_2lookalike';
  const { d, p, q, dp, dq, qi, ...publicKey } = key;
  const signingKey = await jose.importJWK(key);
  const seen = [];
  const trouble = new Map();

  const server = createServer((request, response) => {
    // The path as sent, because a URL parser would resolve `%2E%2E`.
    const [pathname] = request.url.split('?');
    seen.push(pathname);
    const answer = (status, body, headers = {}) => response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(body));
    const refuse = (status, code, headers) => answer(status, { errors: [{ code, message: code }] }, headers);

    if (pathname === '/.well-known/jwks.json') return answer(200, { keys: [publicKey] });
    if (request.headers.authorization !== `Bearer ${SECRET_KEY}`) return refuse(401, 'clerk_key_invalid');
    if (pathname === '/v1/jwks') return answer(200, { keys: [publicKey] });
    const [, id] = pathname.match(/^\/v1\/users\/([^/]+)$/) ?? [];
    if (trouble.has(id)) return refuse(trouble.get(id).status, 'trouble', trouble.get(id).headers);
    return USERS[id] ? answer(200, USERS[id]) : refuse(404, 'resource_not_found');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;

  /** Signs a session token of `subject`, with changes to claims and header. `undefined` removes a claim. */
  const sign = (subject, claims = {}, header = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const session = {
      azp: ORIGIN, exp: now + 60, fva: [0, -1], iat: now, iss: url, jti: 'a1b2c3',
      nbf: now - 10, sid: 'sess_1', sts: 'active', sub: subject, v: 2,
    };
    return new jose.SignJWT({ ...session, ...claims })
      .setProtectedHeader({ alg: 'RS256', cat: CATEGORY.session, kid: key.kid, typ: 'JWT', ...header })
      .sign(signingKey);
  };
  return {
    url,
    keySet: { keys: [publicKey] },
    seen,
    trouble,
    sign,
    /** Returns the number of requests to the Backend API for the user. */
    askedFor: (id) => seen.filter((path) => path === `/v1/users/${id}`).length,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
