// docs/openapi.yaml is linted, compared with the code, and tested against the running service by Schemathesis.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { startFunction } from './support/lambda.js';
import { SECRET_KEY, startLiveblocks } from './support/liveblocks.js';
import { person, startMeeting } from './support/meeting.js';
import { startMoto } from './support/moto.js';
import {
  DOCUMENT, codesIn, failuresIn, faultsOf, merged, readDocument, resolve, schemathesis, startRecorded, templateOf,
} from './support/openapi.js';
import { output, repository } from './support/processes.js';

const document = readDocument();
const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];
/** Every operation of the document: path, method and description. */
const operations = Object.entries(document.paths).flatMap(
  ([path, item]) => METHODS.filter((method) => item[method]).map((method) => [path, method, item[method]]),
);
const responses = operations.flatMap(([, , { responses: all }]) => Object.entries(all).map(([status, one]) => [status, resolve(one)]));
const problemOf = ({ content }) => content?.['application/problem+json'];

describe('linters', () => {
  const bin = `${repository}tests/real/node_modules/.bin`;
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  test('Spectral reports nothing', async () => {
    const ruleset = `${repository}tests/real/support/openapi_spectral.yaml`;
    const found = await output(`${bin}/spectral`, ['lint', '--ruleset', ruleset, '--fail-severity', 'hint', DOCUMENT], { env });
    assert.match(found, /^No results/);
  });
  test('Redocly reports nothing', async () => {
    const found = await output(`${bin}/redocly`, ['lint', '--extends', 'recommended', '--format', 'json', DOCUMENT], { env });
    const { totals, problems } = JSON.parse(found.slice(found.indexOf('{')));
    assert.deepEqual(totals, { errors: 0, warnings: 0, ignored: 0 }, JSON.stringify(problems));
  });
});

describe('the document and the code', () => {
  test('document has the version of the code', () => assert.equal(document.info.version, read('Cargo.toml').match(/^version = "(.*)"$/m)[1]));

  test('document has the codes of docs/problems.md', () => {
    const explained = [...read('docs/problems.md').matchAll(/^## (\w+)$/gm)].map(([, code]) => code);
    const answered = responses.flatMap(([, response]) => codesIn(problemOf(response)?.schema));
    assert.deepEqual([...new Set(answered)].sort(), explained.sort());
    assert.deepEqual(Object.keys(document.components.examples).filter((name) => name !== 'backendRequest').sort(), explained.sort());
  });

  test('document has the status of docs/problems.md for every code', () => {
    const sections = [...read('docs/problems.md').matchAll(/^## (\w+)\n\n\*\*(\d{3})/gm)];
    const statuses = Object.fromEntries(sections.map(([, code, status]) => [code, status]));
    for (const [status, response] of responses) {
      const { schema, examples = {} } = problemOf(response) ?? {};
      for (const code of codesIn(schema)) {
        assert.equal(status, statuses[code], code);
        assert.equal(`${schema.properties.status.const}`, status, code);
        const { value } = resolve(examples[code]);
        assert.deepEqual([value.code, `${value.status}`, value.type.split('#')[1]], [code, status, code]);
      }
    }
  });

  test('document has the routes and methods of the code', () => {
    const source = read('src/endpoint/route.rs');
    const methodsBody = source.match(/pub fn methods\(self\).*?\n    \}\n/s)[0];
    const methods = Object.fromEntries([...methodsBody.matchAll(/((?:Self::\w+[\s|]*)+)=> \{?\s*"([^"]+)"/g)].flatMap(
      ([, routes, text]) => [...routes.matchAll(/Self::(\w+)/g)].map(([, route]) => [route, text]),
    ));
    const table = source.match(/const ROUTES: .*?\n\];/s)[0];
    const paths = [...table.matchAll(/\("([^"]+)", Route::(\w+)\)/g)].map(([, path, route]) => [route, path]);
    const served = paths.map(([route, path]) => [path, methods[route].split(', ').sort()]);
    assert.equal(served.length, source.match(/pub enum Route \{(.*?)\n\}/s)[1].match(/^ {4}\w+,$/gm).length, 'a path for each route');
    const described = Object.entries(document.paths).map(
      ([path, item]) => [path, METHODS.filter((method) => item[method]).map((method) => method.toUpperCase()).sort()],
    );
    assert.deepEqual(described.sort(), served.sort());
  });
});

describe('responses to events/', () => {
  const { TokenFunction: env } = JSON.parse(read('events/env.json'));
  let lambda;
  before(async () => { lambda = await startFunction(env); });
  after(() => lambda?.stop());

  /** Responses of other gateways have other forms, and the document has no path for unknown or malformed paths. */
  const isOfForm2 = (event) => event.version === '2.0' && templateOf(event.rawPath);
  const events = readdirSync(`${repository}events`).filter((name) => name.endsWith('.json') && name !== 'env.json')
    .map((name) => [name, JSON.parse(read(`events/${name}`))]).filter(([, event]) => isOfForm2(event));
  for (const [name, event] of events) {
    test(`response to ${name} matches the document`, async () => {
      const answer = await lambda.invoke(event);
      const expected = name.match(/^(\d{3})/)?.[1] ?? '201';
      assert.equal(`${answer.status}`, expected, `${answer.bytes}`);
      assert.deepEqual(faultsOf({ method: event.requestContext.http.method, path: event.rawPath, ...answer }), []);
      const { instance, ...problem } = answer.json ?? {};
      const example = document.components.examples[problem.code]?.value;
      if (example) assert.deepEqual([problem.type, problem.title], [example.type, example.title]);
    });
  }
});

test('deviating responses are detected', () => {
  const answer = {
    method: 'POST', path: '/prod/token', status: 401, bytes: Buffer.from(JSON.stringify(document.components.examples.missing_token.value)),
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'www-authenticate': 'Bearer realm="roomkey"' },
  };
  assert.deepEqual(faultsOf(answer), []);
  const { 'www-authenticate': _, ...headers } = answer.headers;
  const rows = {
    'a path': { path: '/tokens' },
    'a status': { status: 402 },
    'a missing header': { headers },
    'a header': { headers: { ...answer.headers, 'cache-control': 'no-cache' } },
    'a type': { headers: { ...answer.headers, 'content-type': 'application/json' } },
    'a code': { bytes: Buffer.from(JSON.stringify(document.components.examples.internal.value)) },
    'an additional field': { bytes: Buffer.from(`{"more":1,${`${answer.bytes}`.slice(1)}`) },
  };
  for (const [what, change] of Object.entries(rows)) assert.notDeepEqual(faultsOf({ ...answer, ...change }), [], what);
});

const KEYS = { 'backend-1': 'a secret of thirty-two bytes....' };
const HOST = person('ada', { seat: 'host' });
const POLICY = `
[[allow]]
rooms = ["*"]
role = "host"
agents = ["*"]
`;
const FULL = {
  BACKEND_API_KEYS: JSON.stringify(KEYS),
  LIVEBLOCKS_SECRET_KEY: SECRET_KEY,
  CLIENT_FIELDS: 'room_name,participant_name,participant_metadata,participant_attributes,room_config',
  ALLOWED_ORIGINS: '*',
  MAX_TOKEN_BYTES: '65536',
  INVITATION_SECRET: 'an invitation secret of this suite',
  // One person sends all requests.
  TOKENS_PER_MINUTE: '0',
};
const SIGNING = { ROOMKEY_API_KEY: 'backend-1', ROOMKEY_API_SECRET: KEYS['backend-1'], ROOMKEY_IDENTITY: HOST.email };

describe('Schemathesis', () => {
  let liveblocks;
  let moto;
  let meeting;
  let service;
  const others = [];
  before(async () => {
    liveblocks = await startLiveblocks();
    moto = await startMoto();
    const state = await moto.createTable('bans');
    meeting = await startMeeting({ policy: POLICY, env: { ...FULL, ...state, LIVEBLOCKS_API_URL: liveblocks.url } });
    service = await startRecorded(meeting.lambda);
  });
  after(async () => {
    await Promise.all([service, ...others].map((part) => part?.stop()));
    await meeting?.stop();
    await liveblocks?.stop();
    await moto?.stop();
  });

  /** Returns arguments with a token that is valid for the duration of a run. */
  const bearer = async () => ['-H', `Authorization: Bearer ${await meeting.bearer(HOST)}`];
  /** Starts another deployment, with `env` in addition to the variables of the full one. */
  const deploy = async (env) => {
    const other = await startRecorded(await meeting.startRoomkey(env));
    others.push(other);
    return other;
  };
  /** Returns the number of responses by operation and status. */
  const tally = ({ answers }) => {
    const counts = {};
    for (const { method, path, status } of answers) {
      const name = `${method} ${templateOf(path)} ${status}`;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  const assertClean = ({ isClean, report }) => assert.ok(isClean, report);

  test('service matches the document for authenticated requests', async (t) => {
    // A participant to mute and remove, with the identity of the document's example.
    const bob = await meeting.join(person('bob'), { room_name: 'standup' });
    const participant = '/v1/rooms/{room}/participants/{identity}';
    // The whole document contains routes that ban bob and end the room.
    for (const path of [`${participant}/mute`, participant]) {
      assertClean(await schemathesis(service.url, { args: [...await bearer(), '--include-path', path, '--phases', 'examples'] }));
    }
    assertClean(await schemathesis(service.url, { args: await bearer(), env: SIGNING, seconds: 280 }));
    await bob.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
    const counts = tally(service);
    t.diagnostic(JSON.stringify(counts));
    // The run is only meaningful if enough requests succeeded.
    const least = {
      'POST /token 201': 20, 'POST /token 400': 20, 'POST /token 401': 1,
      'POST /v1/token 200': 10, 'POST /v1/token 400': 10,
      'POST /v1/token/refresh 200': 10, 'POST /v1/token/refresh 400': 10,
      'POST /api/liveblocks-auth 200': 5, 'POST /api/liveblocks-auth 400': 5,
      'POST /v1/rooms/{room}/participants/{identity}/mute 204': 1, 'POST /v1/rooms/{room}/participants/{identity}/mute 404': 5,
      'DELETE /v1/rooms/{room}/participants/{identity} 204': 1, 'DELETE /v1/rooms/{room}/participants/{identity} 404': 5,
      'POST /v1/rooms/{room}/invitations 201': 1, 'POST /v1/rooms/{room}/invitations 400': 1,
      'GET /v1/rooms/{room}/invitations 200': 1, 'DELETE /v1/rooms/{room}/invitations/{jti} 204': 1, 'GET /v1/rooms/{room}/waiting 200': 1,
      'POST /v1/rooms/{room}/waiting/{identity} 404': 1,
      'POST /v1/rooms/{room}/bans 201': 1, 'GET /v1/rooms/{room}/bans 200': 1,
      'DELETE /v1/rooms/{room}/bans/{identity} 204': 1, 'POST /v1/livekit-webhook 401': 1,
      'GET /health 200': 1, 'HEAD /health 200': 1, 'OPTIONS /token 204': 1,
    };
    for (const [name, count] of Object.entries(least)) assert.ok((counts[name] ?? 0) >= count, `${name}: ${counts[name]}`);
    for (const [path] of operations) assert.ok(Object.keys(counts).some((name) => name.endsWith(` ${path} 405`)), `${path} 405`);
  });

  const MODERATION = [
    '/v1/rooms/{room}/participants/{identity}/mute', '/v1/rooms/{room}/participants/{identity}', '/v1/rooms/{room}/participants/{identity}/role',
    '/v1/rooms/{room}/participants', '/v1/rooms/{room}/hand', '/v1/rooms/{room}',
  ];
  const GUARDED = ['/token', '/v1/token', '/v1/token/refresh', '/api/liveblocks-auth', ...MODERATION];
  const include = (paths) => paths.flatMap((path) => ['--include-path', path]);
  /** Fewer and simpler requests, for runs that only check the responses. */
  const FEW = ['--phases', 'examples,fuzzing', '--max-examples', '5'];
  /** Returns the statuses of requests with a method of their path, except preflights. */
  const statuses = ({ answers }) => {
    const asked = answers.filter(({ method, path }) => method !== 'OPTIONS' && document.paths[templateOf(path)]?.[method.toLowerCase()]);
    return [...new Set(asked.map(({ status }) => status))];
  };

  test('service answers 401 to every body without a token or signature', async () => {
    const stranger = await deploy();
    assertClean(await schemathesis(stranger.url, { args: [...include(GUARDED), ...FEW] }));
    assert.deepEqual(statuses(stranger), [401]);
    assert.ok(stranger.answers.length > 50, `${stranger.answers.length}`);
  });

  test('service answers 401 to every body with a malformed token', async () => {
    const stranger = await deploy();
    const args = ['-H', 'Authorization: Bearer not.a.token', ...include(['/token', '/api/liveblocks-auth']), ...FEW];
    assertClean(await schemathesis(stranger.url, { args }));
    assert.deepEqual(statuses(stranger), [401]);
  });

  test('service answers 404 on routes whose keys are not configured', async () => {
    const bare = await deploy({ BACKEND_API_KEYS: '', LIVEBLOCKS_SECRET_KEY: '' });
    const args = [...await bearer(), ...include(['/v1/token', '/v1/token/refresh', '/api/liveblocks-auth']), ...FEW];
    assertClean(await schemathesis(bare.url, { args, env: SIGNING }));
    assert.deepEqual(statuses(bare), [404]);
  });

  const dead = '127.0.0.1:9';
  const outages = [
    ['the identity provider', { OIDC_JWKS: '', OIDC_JWKS_URI: `http://${dead}/jwks` }, ['/token', ...GUARDED.slice(3)], [503]],
    // A malformed request, and a role that nobody may give, are rejected before the upstream receives a request.
    ['LiveKit and Liveblocks', { LIVEKIT_URL: `ws://${dead}`, LIVEBLOCKS_API_URL: `http://${dead}` }, GUARDED.slice(3), [503, 400, 403, 415]],
  ];
  for (const [who, env, paths, expected] of outages) {
    test(`service answers 503 during an outage of ${who}`, async () => {
      const troubled = await deploy(env);
      // These checks treat 503 as a fault of the service, or expect another status.
      const exclude = ['--exclude-checks', 'not_a_server_error,positive_data_acceptance,negative_data_rejection'];
      assertClean(await schemathesis(troubled.url, { args: [...await bearer(), ...include(paths), ...exclude, ...FEW] }));
      assert.deepEqual(statuses(troubled).filter((status) => !expected.includes(status)), []);
      assert.ok(statuses(troubled).includes(503));
    });
  }

  describe('deviating documents', () => {
    const contents = (changed, response) => changed.components.responses[response].content;
    const problem = 'application/problem+json';
    /** Changes by the arguments of the run that detects them. Each has a path, the ID of Schemathesis' failure, and the change. */
    const runs = [[['--phases', 'examples'], {
      'missing status': ['/token', 'ST103', (changed) => { delete changed.paths['/token'].post.responses['201']; }],
      'field of another type in a response': ['/token', 'ST108', ({ components: { schemas } }) => {
        schemas.Token.properties.room_name = { type: 'integer' };
      }],
      'additional field in a response': ['/token', 'ST108', ({ components: { schemas } }) => {
        schemas.Token.required.push('expires_at');
        schemas.Token.properties.expires_at = { type: 'string' };
      }],
      'missing field in a response': ['/token', 'ST108', ({ components: { schemas } }) => {
        schemas.Token.required.pop();
        delete schemas.Token.properties.participant_name;
      }],
      'other path': ['/tokens', 'ST103', ({ paths }) => { paths['/tokens'] = { post: { ...paths['/token'].post, responses: {} } }; }],
    }], [['--phases', 'coverage'], {
      'other media type of a response': ['/api/liveblocks-auth', 'ST105', (changed) => {
        const { [problem]: content } = contents(changed, 'InvalidRequest');
        changed.components.responses.InvalidRequest.content = { 'application/json': content };
      }],
      'other code': ['/api/liveblocks-auth', 'ST108', (changed) => {
        contents(changed, 'InvalidRequest')[problem].schema.properties.code = { const: 'malformed' };
      }],
      'additional required header': ['/health', 'ST107', (changed) => {
        changed.paths['/health'].get.responses['200'].headers['X-Request-Id'] = { required: true, schema: { type: 'string' } };
      }],
      'other value of a header': ['/health', 'ST108', ({ components: { headers } }) => { headers.CacheControl.schema.const = 'no-cache'; }],
      'wider type of a field': ['/api/liveblocks-auth', 'ST202', ({ components: { schemas } }) => {
        schemas.LiveblocksRequest.properties.room.type.push('integer');
      }],
      'narrower limit of a field': ['/api/liveblocks-auth', 'ST201', ({ components: { schemas } }) => {
        schemas.LiveblocksRequest.properties.room.maxLength = 100;
      }],
      'additional required field': ['/api/liveblocks-auth', 'ST201', ({ components: { schemas } }) => {
        schemas.LiveblocksRequest.required = ['room'];
      }],
      'missing method': ['/health', 'ST204', ({ paths }) => { delete paths['/health'].get; }],
      'security on a public route': ['/health', 'ST401', ({ paths }) => { paths['/health'].get.security = [{ bearer: [] }]; }],
    }], [['--phases', 'fuzzing', '--max-examples', '5'], {
      'missing required fields': ['/v1/token', 'ST202', ({ components: { schemas } }) => { schemas.BackendTokenRequest.required = ['roomId']; }],
    }]];
    for (const [args, rows] of runs) {
      const prefixes = Object.fromEntries(Object.keys(rows).map((what, at) => [what, `change-${at}`]));
      const unchanged = [...new Set(Object.values(rows).map(([path]) => path))].filter((path) => document.paths[path]);
      let report;
      let failures;
      before(async () => {
        // The unchanged paths are tested beside the changed ones.
        const several = { unchanged: { changed: readDocument(), paths: unchanged } };
        for (const [what, [path, , change]] of Object.entries(rows)) {
          const changed = readDocument();
          change(changed);
          several[prefixes[what]] = { changed, paths: [path] };
        }
        ({ report } = await schemathesis(service.url, { args: [...await bearer(), ...args], env: SIGNING, changed: merged(several) }));
        failures = failuresIn(report);
      });
      for (const [what, [path, found]] of Object.entries(rows)) {
        test(`Schemathesis detects: ${what}`, () => assert.ok(failures[`/${prefixes[what]}${path}`]?.includes(found), report));
      }
      test(`Schemathesis accepts the unchanged ${unchanged.join(', ')}`, () => {
        assert.match(report, /Test cases:/);
        for (const path of unchanged) assert.equal(failures[`/unchanged${path}`], undefined, report);
      });
    }
  });
});
