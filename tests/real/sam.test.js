// AWS SAM: the template, `sam local invoke` for every event, and `sam local start-api` with a browser.
// The suite creates SAM's build folder with the release binary, because `sam build` would compile it again.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { fetchToken, startBrowser, startPages } from './support/browser.js';
import { ARCHITECTURE, startDocker } from './support/docker.js';
import { judgeAnswer, judgeToken } from './support/judge.js';
import { bootstrap, eventually, freePort, listening, output, repository, start, work } from './support/processes.js';

const sam = `${work}/venv/bin/sam`;
const project = `${work}/sam`;
const environment = JSON.parse(readFileSync(`${repository}events/env.json`)).TokenFunction;
const events = readdirSync(`${repository}events`).filter((name) => name.endsWith('.json') && !name.startsWith('env'));
/** Codes of rejections by status. The name of an event contains its code, unless the status has only one. */
const CODES = {
  400: ['invalid_request'],
  401: ['missing_token', 'token_expired', 'invalid_token', 'invalid_signature'],
  403: ['field_not_allowed', 'room_not_allowed', 'agent_not_allowed', 'email_not_verified', 'origin_not_allowed', 'role_not_allowed'],
  404: ['user_not_found', 'email_not_set', 'participant_not_found', 'not_found'],
  405: ['method_not_allowed'],
  413: ['content_too_large'],
  415: ['unsupported_media_type'],
  503: ['unavailable'],
};
let docker;
let env;

before(async () => {
  const built = `${project}/.aws-sam/build`;
  rmSync(project, { recursive: true, force: true });
  mkdirSync(`${built}/TokenFunction`, { recursive: true });
  copyFileSync(bootstrap, `${built}/TokenFunction/bootstrap`);
  const template = readFileSync(`${repository}template.yaml`, 'utf8');
  assert.equal(template.split('CodeUri: .\n').length, 2, 'one function');
  writeFileSync(`${built}/template.yaml`, template.replace('CodeUri: .\n', 'CodeUri: TokenFunction\n'));
  symlinkSync(`${repository}events`, `${project}/events`);

  docker = await startDocker();
  env = { ...process.env, ...docker.env, SAM_CLI_TELEMETRY: '0', AWS_EC2_METADATA_DISABLED: 'true', AWS_DEFAULT_REGION: 'us-east-1' };
});
after(() => docker?.stop());

/** Additional options if no image can be pulled or the architecture is not the default. */
const here = (...parameters) => ['--skip-pull-image', '--parameter-overrides', `Architecture=${ARCHITECTURE}`, ...parameters];

test('sam validate --lint', async () => {
  await output(sam, ['validate', '--lint'], { env });
});

test('events cover success and every rejection', () => {
  assert.ok(events.includes('token.json'));
  for (const status of Object.keys(CODES)) {
    assert.ok(events.some((name) => name.startsWith(`${status}-`)), `an event for ${status}`);
  }
});

/** Runs the documented command for an event, and compares the response with the event's name. */
async function invoke(name) {
  const stdout = await output(sam, ['local', 'invoke', '-e', `events/${name}`, '-n', 'events/env.json', ...here()], { cwd: project, env });
  const answer = JSON.parse(stdout.trim().split('\n').at(-1));
  const [, status, code] = name === 'token.json' ? [0, '201'] : name.match(/^(\d{3})-(.+)\.json$/);
  assert.equal(String(answer.statusCode), status, answer.body);
  if (status in CODES) {
    const expected = CODES[status].length === 1 ? CODES[status][0] : code;
    assert.equal(JSON.parse(answer.body).code, expected);
  }
  if (status === '201') await judgeAnswer(JSON.parse(answer.body), asked(name));
}

describe('sam local invoke', () => {
  // Separately, because the first run adds SAM's emulator to the image.
  test('token.json', () => invoke('token.json'));

  describe('every other event, two at a time', { concurrency: 2 }, () => {
    for (const name of events.filter((file) => file !== 'token.json')) test(name, () => invoke(name));
  });
});

/** Returns the expected response of an event, from its access token and body in any format. */
function asked(name) {
  const { headers, multiValueHeaders, body, isBase64Encoded } = JSON.parse(readFileSync(`${repository}events/${name}`, 'utf8'));
  const [, authorization] = Object.entries(headers ?? multiValueHeaders).find(([header]) => /^authorization$/i.test(header));
  const { email, name: person = 'Unnamed User' } = decodeJwt([authorization].flat()[0].split(' ')[1]);
  const wish = JSON.parse((isBase64Encoded ? Buffer.from(body, 'base64').toString() : body) || '{}');
  return {
    server: environment.LIVEKIT_URL,
    key: environment.LIVEKIT_API_KEY,
    secret: environment.LIVEKIT_API_SECRET,
    identity: email,
    name: person,
    room: wish.room_name,
    metadata: wish.participant_metadata,
    attributes: wish.participant_attributes,
  };
}

describe('sam local start-api', () => {
  let api;
  let pages;
  let browser;
  let endpoint;
  let bearer;
  before(async () => {
    const port = await freePort();
    pages = await startPages();
    const { headers } = JSON.parse(readFileSync(`${repository}events/token.json`, 'utf8'));
    bearer = headers.authorization.split(' ')[1];
    api = start(sam, [
      'local', 'start-api', '-n', 'events/env.json', '--host', '127.0.0.1', '-p', String(port), '--warm-containers', 'EAGER',
      ...here(`AllowedOrigins=${pages.origin}`),
    ], { cwd: project, env, seconds: 300 });
    await eventually('the API listens', () => listening(port), 60);
    endpoint = `http://127.0.0.1:${port}/token`;
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.stop();
    pages?.stop();
    // SIGINT lets SAM remove its containers.
    await api?.stop('SIGINT', 30);
  });

  test('preflight succeeds', async () => {
    const response = await fetch(endpoint, {
      method: 'OPTIONS',
      headers: {
        origin: pages.origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type',
      },
    });
    assert.ok(response.ok, response.status);
    assert.equal(response.headers.get('access-control-allow-origin'), pages.origin);
    assert.match(response.headers.get('access-control-allow-headers'), /authorization/i);
    assert.match(response.headers.get('access-control-allow-methods'), /POST/);
  });

  test('POST request returns 201', async () => {
    const response = await fetch(endpoint, {
      method: 'POST', headers: { origin: pages.origin, authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }, body: '{}',
    });
    assert.equal(response.status, 201);
    const { room, metadata, attributes, ...expected } = asked('token.json');
    await judgeAnswer(await response.json(), expected);
  });

  test('livekit-client in Chromium receives a token', async () => {
    const page = await browser.visit(pages.origin);
    const { details, error } = await fetchToken(page, endpoint, bearer, { roomName: 'standup' });
    assert.equal(error, undefined);
    const { metadata, attributes, server, ...expected } = asked('token.json');
    assert.equal(details.serverUrl, server);
    await judgeToken(details.participantToken, { ...expected, room: 'standup' });
  });

  test('health', async () => {
    assert.equal((await fetch(endpoint.replace(/token$/, 'health'))).status, 200);
  });
});
