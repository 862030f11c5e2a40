// Cost of state and of `ask` per token: latency and CPU of the release binary, beside a deployment without them. Plain
// HTTP upstreams on loopback answer after a delay. `node bench/state.mjs` prints a Markdown table.
import { spawn } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const bootstrap = process.env.BOOTSTRAP ?? fileURLToPath(new URL('../target/release/bootstrap', import.meta.url));
const [WARM_UP, REQUESTS, ROUNDS] = [500, 1000, 5];
/** Milliseconds until an upstream answers: a round trip within a region. */
const DELAY = Number(process.env.DELAY ?? 5);

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = Math.floor(Date.now() / 1000);
const claims = { iss: 'https://idp.example.com', aud: 'app', sub: 'ada', email: 'ada@example.com', email_verified: true, name: 'Ada', iat: now, exp: now + 3600 };
const text = `${encode({ alg: 'ES256', kid: 'key', typ: 'JWT' })}.${encode(claims)}`;
const token = `${text}.${sign('sha256', text, { key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;

async function serve(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${server.address().port}`;
}
const later = (response, body) => setTimeout(() => response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(body), DELAY);
const table = await serve((request, response) => {
  request.resume().on('end', () => later(response, '{"Responses":{"bans":[]},"UnprocessedKeys":{}}'));
});
const app = await serve((request, response) => later(response, '{"role":"participant"}'));

const RULE = '[[allow]]\nrooms = ["*"]\nrole = "participant"\n';
const ASKING = `${RULE}ask = "members"\n[ask.members]\nurl = "http://${app}/rooms/{room}/members/{sub}"\nforward = "bearer"\n`
  + 'role_from = "role"\nroles = ["participant"]\n';
const STATE = {
  STATE_TABLE: 'bans', AWS_ENDPOINT_URL_DYNAMODB: `http://${table}`, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'testing',
  AWS_SECRET_ACCESS_KEY: 'testing', AWS_SESSION_TOKEN: 'testing',
};
const KINDS = { neither: {}, state: STATE, ask: { POLICY: ASKING }, both: { ...STATE, POLICY: ASKING } };

/** Starts the binary with a stand-in for Lambda's Runtime API. `invoke` sends one event. */
async function start(env) {
  let next;
  let done;
  const waiting = [];
  const api = await serve((request, response) => {
    if (request.url.endsWith('/next')) {
      waiting.push(response);
      next?.();
      return;
    }
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
      response.writeHead(202).end();
      done?.(JSON.parse(Buffer.concat(chunks)));
    });
  });
  const child = spawn(bootstrap, [], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      AWS_LAMBDA_RUNTIME_API: api, AWS_LAMBDA_FUNCTION_NAME: 'f', AWS_LAMBDA_FUNCTION_VERSION: '1', AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      TOKENS_PER_MINUTE: '0', LIVEKIT_URL: 'wss://livekit.example.com', LIVEKIT_API_KEY: 'key', LIVEKIT_API_SECRET: 's'.repeat(32),
      OIDC_ISSUER: claims.iss, OIDC_AUDIENCE: 'app', PROFILE_SOURCE: 'claims', POLICY: RULE,
      OIDC_JWKS: JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key', alg: 'ES256', use: 'sig' }] }), ...env,
    },
  });
  const event = JSON.stringify({
    version: '2.0', routeKey: 'POST /token', rawPath: '/token', rawQueryString: '', isBase64Encoded: false, body: '{"room_name":"standup"}',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', host: 'api.example.com' },
    requestContext: { accountId: '1', apiId: 'a', domainName: 'api.example.com', domainPrefix: 'api', requestId: 'r', routeKey: 'POST /token', stage: '$default', time: 't', timeEpoch: 0, http: { method: 'POST', path: '/token', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'bench' } },
  });
  const invoke = async () => {
    if (waiting.length === 0) await new Promise((resolve) => { next = resolve; });
    const answer = new Promise((resolve) => { done = resolve; });
    waiting.shift().writeHead(200, {
      'content-type': 'application/json', 'lambda-runtime-aws-request-id': 'r', 'lambda-runtime-deadline-ms': String(Date.now() + 10_000),
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:123456789012:function:f',
    }).end(event);
    const { statusCode, body } = await answer;
    if (statusCode !== 201) throw new Error(`${statusCode} ${body}`);
  };
  return { child, invoke };
}

/** Microseconds of CPU of all threads of a process. */
const cpu = (pid) => readdirSync(`/proc/${pid}/task`)
  .reduce((total, task) => total + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000, 0);

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
const running = {};
for (const [kind, env] of Object.entries(KINDS)) {
  running[kind] = { ...await start(env), cpus: [], times: [] };
  for (let count = 0; count < WARM_UP; count += 1) await running[kind].invoke();
}
// The kinds alternate, so that the load of the machine affects all alike.
for (let round = 0; round < ROUNDS; round += 1) {
  for (const one of Object.values(running)) {
    const before = cpu(one.child.pid);
    for (let count = 0; count < REQUESTS / ROUNDS; count += 1) {
      const begin = performance.now();
      await one.invoke();
      one.times.push(performance.now() - begin);
    }
    one.cpus.push((cpu(one.child.pid) - before) / (REQUESTS / ROUNDS));
  }
}
console.log('| Deployment | Latency p50, ms | CPU µs per token |\n|---|---|---|');
for (const [kind, { child, cpus, times }] of Object.entries(running)) {
  console.log(`| ${kind} | ${median(times).toFixed(1)} | ${median(cpus).toFixed(0)} |`);
  child.kill();
}
process.exit();
