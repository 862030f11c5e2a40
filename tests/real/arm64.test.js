// The results of `sam build` for both architectures, under AWS's Runtime Interface Emulator: arm64 in QEMU's user-mode
// emulation, x86_64 natively. `.ci/build.sh` builds both.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { compiles, emulated, native, unavailable } from './support/emulated.js';
import { AUDIENCE, newKey, startIssuer } from './support/issuer.js';
import { judge } from './support/judge.js';
import { startFunction, tokenEvent } from './support/lambda.js';
import { startMoto } from './support/moto.js';
import { repository, work } from './support/processes.js';
import { signIn } from './support/sign_in.js';
import { newCertificate, startTls } from './support/tls.js';

const read = (name) => JSON.parse(readFileSync(`${repository}events/${name}`, 'utf8'));
const { TokenFunction: environment } = read('env.json');
const ada = {
  server: environment.LIVEKIT_URL,
  key: environment.LIVEKIT_API_KEY,
  secret: environment.LIVEKIT_API_SECRET,
  identity: 'ada@example.com',
  name: 'Ada Lovelace',
  room: 'standup',
};

/** Tests the events of the repository without a network. */
function answersEvents(program) {
  let lambda;
  before(async () => {
    assert.deepEqual(program.runs(), [], 'nobody else has started it');
    lambda = await startFunction(environment, program.path);
  });
  after(() => lambda?.stop());

  test('function answers 201 to token.json', async () => judge(await lambda.invoke(read('token.json')), ada));

  test('function answers 401 to 401-invalid_token.json', async () => {
    const answer = await lambda.invoke(read('401-invalid_token.json'));
    assert.equal(answer.status, 401);
    assert.equal(answer.json.code, 'invalid_token');
  });

  test('response comes from this build', () => assert.equal(program.runs().length, 1, program.binary));
}

/** Tests keys and secret over TLS. This part of the program is C and assembly, and differs most by architecture. */
function fetchesOverTls(program) {
  const [server, key, secret] = ['wss://livekit.example.com', 'APIemulated', 'e'.repeat(40)];
  const running = [];
  let certificate;
  let issuer;
  let moto;
  let fronts;
  before(async () => {
    mkdirSync(`${work}/tls`, { recursive: true });
    certificate = newCertificate(`${work}/tls/localhost`);
    issuer = await startIssuer({ keys: [await newKey('ES256')] });
    moto = await startMoto();
    await moto.ask('CreateSecret', {
      Name: 'livekit', SecretString: JSON.stringify({ LIVEKIT_URL: server, LIVEKIT_API_KEY: key, LIVEKIT_API_SECRET: secret }),
    });
    fronts = {
      keys: await startTls(certificate, issuer.port),
      secret: await startTls(certificate, new URL(moto.env.AWS_ENDPOINT_URL_SECRETS_MANAGER).port),
    };
  });
  after(async () => {
    await Promise.all(running.map((lambda) => lambda.stop()));
    for (const front of Object.values(fronts ?? {})) front.stop();
    await Promise.all([issuer?.stop(), moto?.stop()]);
  });

  const ask = async (trust) => {
    const lambda = await startFunction({
      ...moto.env,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: fronts.secret.url,
      LIVEKIT_SECRET_ID: 'livekit',
      OIDC_ISSUER: issuer.url,
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_JWKS_URI: `${fronts.keys.url}/jwks`,
      ...trust,
    }, program.path);
    running.push(lambda);
    return lambda.invoke(tokenEvent((await signIn(issuer, 'alice', { alg: 'ES256' })).access_token));
  };

  test('function answers 503 if the certificate is not trusted', async () => {
    const answer = await ask({});
    assert.equal(answer.status, 503, answer.bytes);
    assert.equal(answer.json.code, 'unavailable');
    assert.deepEqual([fronts.keys.protocols, fronts.secret.protocols, moto.reads], [[], [], []]);
    assert.ok(!issuer.seen.includes('/jwks'));
  });

  test('function answers 201 with keys and secret over TLS if the certificate is trusted', async () => {
    const answer = await ask({ SSL_CERT_FILE: certificate.certificate });
    await judge(answer, { server, key, secret, identity: 'alice@example.com', name: 'Alice Ångström' });
    assert.deepEqual([fronts.keys.protocols, fronts.secret.protocols], [['TLSv1.3'], ['TLSv1.3']]);
    assert.equal(issuer.seen.filter((path) => path === '/jwks').length, 1);
    assert.equal(moto.reads.length, 1);
    assert.equal(program.runs().length, running.length, program.binary);
  });
}

if (unavailable === undefined) {
  const program = emulated();
  describe('arm64, emulated: events', () => answersEvents(program));
  describe('arm64, emulated: TLS', () => fetchesOverTls(program));
} else {
  test('missing arm64 build has a reason', () => {
    assert.equal(compiles(), false, unavailable);
    assert.ok(!existsSync(`${work}/build/arm64`), 'nothing is left of an earlier build');
  });
}

describe('x86_64: events', () => answersEvents(native()));
