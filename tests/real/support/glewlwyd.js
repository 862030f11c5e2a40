// A second, independent identity provider in C: Debian's Glewlwyd, configured through its administration API.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { eventually, freePort, listening, run, start } from './processes.js';

export const CLIENT = 'frontend';
const CLIENT_PASSWORD = 'the password of the frontend';
const SCHEMA = '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz';
const MODULES = '/usr/lib/glewlwyd';

/** The password of each person is the name followed by ` has a password`. */
export const PEOPLE = {
  alice: {
    name: 'Alice Ångström', email: 'alice@example.com', email_verified: 'yes', picture: 'https://cdn.example.com/alice.png',
  },
  mallory: { name: 'Mallory', email: 'alice@example.com', email_verified: 'no' },
  nomail: { name: 'No Mail' },
  leaver: { name: 'Leaver', email: 'leaver@example.com', email_verified: 'yes' },
};

/** Signature algorithm of each plugin. Every plugin is a separate issuer. */
const SIGNERS = {
  rsa: () => ({ 'jwt-type': 'rsa', ...pair('rsa', { modulusLength: 2048 }) }),
  ecdsa: () => ({ 'jwt-type': 'ecdsa', ...pair('ec', { namedCurve: 'P-256' }) }),
  sha: (secret) => ({ 'jwt-type': 'sha', key: secret }),
};

/**
 * Starts Glewlwyd with the people above and an issuer for each name in `issuers`. The issuer `sha` signs with `secret`.
 */
export async function startGlewlwyd({ issuers, secret }) {
  const directory = mkdtempSync(`${tmpdir()}/glewlwyd-`);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  run('sqlite3', [`${directory}/database`], { input: gunzipSync(readFileSync(SCHEMA)) });
  writeFileSync(`${directory}/glewlwyd.conf`, configuration(directory, port));
  const program = start('glewlwyd', [`--config-file=${directory}/glewlwyd.conf`]);
  await eventually('glewlwyd listens', () => listening(port));

  const administer = await administrator(`${url}/api`);
  await addPeople(administer);
  for (const issuer of issuers) await administer('POST', '/mod/plugin/', plugin(issuer, `${url}/api/${issuer}`, secret));

  return {
    /** Returns the URL of an issuer. */
    issuer: (name) => `${url}/api/${name}`,
    /** Returns the response of the token endpoint to the password of the resource owner. */
    signIn: (name, person, scope = 'openid') => token(`${url}/api/${name}/token`, {
      grant_type: 'password', username: person, password: `${person} has a password`, scope,
    }),
    /** Returns the response of the token endpoint to the client's own credentials. */
    clientToken: (name, resource) => token(`${url}/api/${name}/token`, {
      grant_type: 'client_credentials', scope: 'openid', resource,
    }),
    remove: (person) => administer('DELETE', `/user/${person}`),
    stop: async () => {
      await program.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function addPeople(administer) {
  // The user database must be configured for the properties picture and verification.
  const property = { multiple: false, read: true, write: true, 'profile-read': true, 'profile-write': false };
  const database = await administer('GET', '/mod/user/database');
  Object.assign(database.parameters['data-format'], { picture: property, email_verified: property });
  await administer('PUT', '/mod/user/database', database);
  await administer('PUT', '/mod/user/database/reset');

  await administer('POST', '/scope/', { name: 'meet', display_name: 'Meet', password_required: false, scheme: {} });
  for (const [username, person] of Object.entries(PEOPLE)) {
    const password = `${username} has a password`;
    await administer('POST', '/user/', { username, password, enabled: true, scope: ['openid', 'meet'], ...person });
  }
  await administer('POST', '/client/', {
    client_id: CLIENT,
    name: 'Frontend',
    enabled: true,
    confidential: true,
    password: CLIENT_PASSWORD,
    scope: ['openid', 'meet'],
    authorization_type: ['password', 'client_credentials'],
    redirect_uri: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: ['client_secret_basic'],
  });
}

/** Returns a function for calls to the administration API as its first administrator. */
async function administrator(url) {
  const answer = await fetch(`${url}/auth/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: 'password' }),
  });
  const cookie = answer.headers.getSetCookie().map((value) => value.split(';')[0]).join('; ');
  return async (method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { cookie, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  };
}

async function token(url, form) {
  const { resource, ...rest } = form;
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT}:${CLIENT_PASSWORD}`).toString('base64')}` },
    body: new URLSearchParams({ ...rest, ...(resource && { resource }) }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`token endpoint: ${response.status} ${answer}`);
  return JSON.parse(answer);
}

function plugin(name, issuer, secret) {
  const claim = (property, rest) => ({ name: property, 'user-property': property, mandatory: true, scope: [], ...rest });
  return {
    module: 'oidc',
    name,
    display_name: name,
    enabled: true,
    parameters: {
      iss: issuer,
      ...SIGNERS[name](secret),
      'jwt-key-size': '256',
      'access-token-duration': 300,
      'refresh-token-duration': 300,
      'code-duration': 60,
      'refresh-token-rolling': true,
      'allow-non-oidc': true,
      'auth-type-code-enabled': false,
      'auth-type-token-enabled': false,
      'auth-type-id-token-enabled': true,
      'auth-type-none-enabled': false,
      'auth-type-password-enabled': true,
      'auth-type-client-enabled': true,
      'auth-type-device-enabled': false,
      'auth-type-refresh-enabled': true,
      'subject-type': 'public',
      'jwks-show': true,
      'name-claim': 'mandatory',
      'email-claim': 'mandatory',
      'scope-claim': 'no',
      claims: [
        claim('picture', { type: 'string' }),
        claim('email_verified', { type: 'boolean', 'boolean-value-true': 'yes', 'boolean-value-false': 'no' }),
      ],
      'resource-allowed': true,
      'resource-scope': { openid: ['https://meet.example.com'] },
    },
  };
}

/** Returns a private and a public key in the format of Glewlwyd. */
function pair(type, options) {
  const { privateKey, publicKey } = generateKeyPairSync(type, {
    ...options,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { key: privateKey, cert: publicKey };
}

// The slash at the end of `external_url` is doubled in the URLs of the discovery document, as in real deployments with
// that setting.
const configuration = (directory, port) => `
port = ${port}
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:${port}/"
login_url = "login.html"
api_prefix = "api"
static_files_path = "${directory}"
log_mode = "console"
log_level = "WARNING"
cookie_domain = "127.0.0.1"
session_key = "session"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "${MODULES}/user"
user_middleware_module_path = "${directory}"
client_module_path = "${MODULES}/client"
user_auth_scheme_module_path = "${MODULES}/scheme"
plugin_module_path = "${MODULES}/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3"; path = "${directory}/database"; };
`;
