// Log lines, metrics and the queries of docs/operations.md, tested on the output of the release binary. It runs under
// AWS's Runtime Interface Emulator with accepted and rejected requests and with failing upstreams.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AUDIENCE } from './support/issuer.js';
import { DEV_LIVEKIT, event, startFunction } from './support/lambda.js';
import { checked, codes, fields, queries, questions, section, upstreams } from './support/log_page.js';
import { members, query } from './support/logs_insights.js';
import { SECRET, confidential, functions, linesOf, requestOf, sent, start, stop, subjectOf, upstream } from './support/observed.js';
import { bootstrap, eventually, freePort, run } from './support/processes.js';

const all = () => functions.flatMap(linesOf);
const lines = () => all().map(checked);

before(start);
after(stop);

/** Returns the requests with a known caller, room and route. */
const known = () => sent.filter(({ file }) => !file);

describe('log lines', () => {
  test('every line is JSON with the fields, types and metrics of the page', () => assert.ok(lines().length > sent.length));

  test('every request has one line, which matches the response', () => {
    for (const request of known()) {
      const line = requestOf(request);
      const { status, code, trace, person, room, door, jti } = request;
      assert.deepEqual(
        { status: line.status, code: line.code, subject: line.subject, route: line.route, jti: line.jti },
        { status, code, subject: person && subjectOf(person), route: door, jti },
      );
      if (room) assert.equal(line.room, room);
      // Lambda passes on the trace beside the event, which its emulator does not.
      assert.ok([undefined, trace].includes(line.trace_id), line.trace_id);
    }
  });

  test('request ID is that of the gateway and of the problem document', () => {
    const problems = known().filter(({ status }) => status >= 400);
    assert.ok(problems.length > 15);
    for (const { id, instance } of problems) assert.equal(instance, `urn:roomkey:request:${id}`);
  });

  test('request ID without a gateway is that of Lambda', () => {
    const { lambda } = sent.at(-1);
    const own = linesOf(lambda).map((line) => JSON.parse(line)).filter((line) => line.message === 'request' && line.request_id === line.lambda_request_id);
    const without = sent.filter(({ file, hasGateway }) => file && !hasGateway);
    assert.ok(without.length > 0);
    assert.equal(own.length, without.length);
  });

  test('lines contain no token, secret, address, name, body or path', () => {
    const log = functions.map((lambda) => lambda.log()).join('\n');
    for (const word of confidential) assert.ok(!log.includes(word), word);
  });

  test('lines cover every field, code and upstream that the suite can cause', () => {
    const seen = lines();
    const unseen = Object.keys(fields).filter((name) => !seen.some((line) => name in line));
    assert.deepEqual(unseen.filter((name) => name !== 'trace_id').sort(), ['Internal', 'location'], 'only a bug in roomkey causes these');
    const without = Object.keys(codes).filter((code) => !seen.some((line) => line.code === code));
    assert.deepEqual(without.sort(), ['hand_not_raised', 'internal', 'origin_not_allowed', 'participant_not_found', 'user_not_found']);
    const silent = upstreams.filter((name) => !seen.some((line) => line.upstream === name));
    assert.deepEqual(silent.sort(), ['clerk', 'workos']);
  });

  test('line of a token has the length that the page assumes', () => {
    const [, told] = section('Monitoring costs').match(/one line of (\d+) bytes/);
    // In AWS the line has a trace ID, which the emulator does not pass on.
    const trace = (line) => (line.includes('"trace_id"') ? 0 : ',"trace_id":"1-6920b0f5-4c8e1a2b3c4d5e6f70819203"'.length);
    const lengths = all().filter((line) => line.includes('"jti"')).map((line) => Buffer.byteLength(line) + 1 + trace(line));
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    assert.ok(Math.abs(mean / Number(told) - 1) < 0.1, `lines of tokens have ${mean} bytes`);
  });

  test('start with invalid variables reports all of them and exits with 64', () => {
    const env = { PATH: process.env.PATH, AWS_LAMBDA_FUNCTION_NAME: 'function', OIDC_ISSUER: 'https://idp.example/secret-path', TOKEN_TTL_SECONDS: '5' };
    assert.throws(() => run(bootstrap, [], { env }), ({ message }) => {
      assert.match(message, /ended with 64\n/);
      const [text] = message.split('\n').filter((line) => line.startsWith('{'));
      const line = checked(text);
      assert.equal(line.message, 'not started');
      for (const variable of ['OIDC_AUDIENCE', 'TOKEN_TTL_SECONDS', 'LIVEKIT_URL']) assert.ok(line.error.includes(variable), line.error);
      assert.ok(!line.error.includes('secret-path'));
      return true;
    });
  });

  test('RUST_LOG=warn keeps warnings and removes lines of requests and metrics', async () => {
    const quiet = await startFunction({ ...DEV_LIVEKIT, OIDC_ISSUER: `http://127.0.0.1:${await freePort()}`, OIDC_AUDIENCE: AUDIENCE, RUST_LOG: 'warn' });
    const answer = await quiet.invoke(event({ method: 'GET', path: '/health' }));
    assert.equal(answer.status, 200);
    await eventually('the warning is there', () => linesOf(quiet).length > 0);
    await quiet.stop();
    for (const line of linesOf(quiet).map(checked)) assert.equal(line.message, 'fetch failed');
  });
});

/** Returns the answered reads of the secret. */
const secretReads = () => upstream.moto.reads.filter(({ action, status }) => action.startsWith('secretsmanager.') && status === 200);

describe('metrics', () => {
  const sum = (name) => lines().reduce((total, line) => total + (line[name] ?? 0), 0);

  test('metrics count the responses', () => {
    assert.equal(sum('Issued'), sent.filter(({ jti }) => jti).length);
    const isRefusal = ({ status, code }) => status >= 400 && status < 500 && code !== 'awaiting_admission';
    assert.equal(sum('Refused'), sent.filter(isRefusal).length);
    assert.equal(sum('Waiting'), 2, 'each person once');
    assert.equal(sum('Unavailable'), sent.filter(({ status }) => status === 503).length);
    assert.equal(sum('ColdStart'), functions.length);
  });

  test('metrics count the requests to the issuer and Secrets Manager', () => {
    const [first] = functions;
    const fetched = (name) => linesOf(first).map((line) => JSON.parse(line)).filter((line) => line.message === 'fetched' && line[name] === 1).length;
    assert.equal(fetched('SecretFetches'), secretReads().length);
    const asked = upstream.issuer.seen.filter((url) => ['/jwks', '/.well-known/openid-configuration'].includes(url)).length;
    const both = functions.slice(0, 4).flatMap(linesOf).map((line) => JSON.parse(line)).filter((line) => line.message === 'fetched' && line.KeyFetches === 1).length;
    assert.equal(both, asked);
    assert.ok(sum('FetchFailures') >= 4);
  });

  test('metrics count only responses with stale keys or secret as stale', () => {
    const stale = sent.filter(({ lambda }) => lambda === functions[0]).map((request) => requestOf(request).StaleServes === 1);
    assert.equal(stale.indexOf(true), stale.length - 1);
  });
});

describe('the queries of the page', () => {
  /** Returns the lines of the functions with known callers. `ask` runs a section's first query on them. */
  const allKnown = () => [...new Set(known().map(({ lambda }) => lambda))].flatMap(linesOf);
  const ask = (title, { change = (text) => text, on = allKnown() } = {}) => query(change(queries(title)[0]), on);
  const count = (requests, ...keys) => {
    const groups = new Map();
    for (const request of requests) {
      const id = JSON.stringify(keys.map((key) => request[key]));
      groups.set(id, [...(groups.get(id) ?? []), request]);
    }
    return [...groups.values()];
  };
  const distinct = (requests, key) => new Set(requests.map((request) => request[key]).filter(Boolean)).size;
  const byText = (rows) => rows.map((row) => JSON.stringify(row)).sort();
  const same = (rows, expected) => assert.deepEqual(byText(rows), byText(expected));
  const issued = () => known().filter(({ jti }) => jti);
  /** Checks that the rows are in the descending order of the query. */
  const falling = (rows, column) => rows.slice(1).forEach((row, place) => assert.ok(row[column] <= rows[place][column], column));
  const tested = new Set();
  const question = (title, run_) => {
    tested.add(title);
    test(`query answers: ${title}`, run_);
  };

  question('Why did this request fail?', () => {
    const one = known().find(({ code }) => code === 'room_not_allowed');
    const other = known().find(({ code }) => code === 'field_not_allowed');
    const on = allKnown().map((line) => {
      const { trace } = known().find(({ id }) => id === JSON.parse(line).request_id) ?? {};
      return JSON.stringify({ ...JSON.parse(line), trace_id: trace });
    });
    const about = (id, trace) => ask('Why did this request fail?', {
      on, change: (text) => text.replace('JKJaXmPLvHcESHA=', id).replace(/1-[0-9a-f]{8}-[0-9a-f]{24}/, trace),
    }).filter(({ message }) => message === 'request');
    for (const rows of [about(one.id, 'none'), about('none', one.trace)]) {
      assert.deepEqual(rows.map(({ code, status, room, reason }) => [code, status, room, reason]), [
        ['room_not_allowed', 403, one.room, 'no rule of the policy allows the room for this caller'],
      ]);
    }
    assert.deepEqual(about(one.id, other.trace).map(({ code }) => code), ['room_not_allowed', 'field_not_allowed']);
  });

  question('Which callers were refused a room?', () => {
    const rows = ask('Which callers were refused a room?');
    const refused = known().filter(({ code }) => ['room_not_allowed', 'role_not_allowed', 'agent_not_allowed'].includes(code));
    same(rows, count(refused, 'person', 'code').map((group) => ({
      times: group.length, rooms: distinct(group, 'room'), subject: subjectOf(group[0].person), code: group[0].code,
    })));
    falling(rows, 'times');
    assert.deepEqual([rows[0].times, rows[0].rooms, rows[0].subject], [4, 3, subjectOf('nora')]);
  });

  question('Is a client flooding the endpoint?', () => {
    const rows = ask('Is a client flooding the endpoint?');
    const total = (column) => rows.reduce((sum, row) => sum + row[column], 0);
    assert.equal(total('requests'), known().length);
    assert.equal(total('known'), known().filter(({ person }) => person).length);
    assert.ok(Math.max(...rows.map(({ people }) => people)) >= 3);
    falling(rows, 'requests');
  });

  question('Which callers send the most requests?', () => {
    const rows = ask('Which callers send the most requests?');
    same(rows, count(known().filter(({ person }) => person), 'person').map((group) => ({
      requests: group.length, rooms: distinct(group, 'room'), subject: subjectOf(group[0].person),
    })));
    falling(rows, 'requests');
  });

  question('Which requests are refused per hour?', () => {
    const rows = ask('Which requests are refused per hour?');
    const refused = known().filter(({ status }) => status >= 400 && status < 500);
    for (const group of count(refused, 'code')) {
      const all_ = rows.filter(({ code }) => code === group[0].code).reduce((sum, row) => sum + row.refusals, 0);
      assert.equal(all_, group.length, group[0].code);
    }
    for (const row of rows) assert.equal(row['bin(1h)'] % 3_600_000, 0);
  });

  question('Which check do tokens fail?', () => same(ask('Which check do tokens fail?'), [
    [1, 'invalid_token', 'the signature is invalid'], [2, 'invalid_token', 'not a well-formed JWT'], [1, 'missing_token', 'no bearer token in the request'],
    [1, 'invalid_token', 'invalid signature of the invitation'], [1, 'invitation_expired', 'the invitation expired'],
  ].map(([refusals, code, reason]) => ({ refusals, code, reason }))));

  question('How long do requests take?', () => {
    const rows = ask('How long do requests take?');
    assert.deepEqual(rows.map(({ requests, route }) => [requests, route]).sort(), count(known().filter(({ door }) => door), 'door')
      .map((group) => [group.length, group[0].door]).sort());
    for (const { p50, p95, p99 } of rows) assert.ok(p50 > 0 && p50 <= p95 && p95 <= p99);
    assert.ok(rows.find(({ route }) => route === '/token').p99 > 1000, 'UserInfo that never came');
  });

  question('How many cold starts are there?', () => {
    const rows = ask('How many cold starts are there?');
    assert.equal(rows.reduce((sum, { starts }) => sum + starts, 0), new Set(known().map(({ lambda }) => lambda)).size);
    for (const { mean, longest } of rows) assert.ok(mean > 0 && mean <= longest);
    // A line of Lambda in the form of its documentation.
    const report = (initDurationMs) => JSON.stringify({
      time: '2026-01-01T00:00:00.000Z', type: 'platform.report', record: { requestId: '1', status: 'success', metrics: { durationMs: 3.1, initDurationMs } },
    });
    const [row] = query(queries('How many cold starts are there?')[1], [report(31.5), report(40), report(undefined)]);
    assert.deepEqual([row.starts, row.p50, row.longest], [2, 31.5, 40]);
  });

  question('Which upstream is down?', () => {
    const rows = ask('Which upstream is down?');
    const named = (message) => rows.filter((row) => row.message === message).map(({ upstream }) => upstream);
    for (const upstream of ['secret', 'discovery', 'keys']) assert.ok(named('fetch failed').includes(upstream), upstream);
    assert.deepEqual(named('request').filter((name) => !['keys', 'discovery'].includes(name)).sort(), ['ask', 'deadline', 'liveblocks', 'livekit', 'state', 'userinfo']);
    for (const { first, last } of rows) assert.ok(first <= last);
  });

  question('How often are keys and secret read?', () => {
    const rows = ask('How often are keys and secret read?');
    const reads = rows.find(({ upstream, message }) => upstream === 'secret' && message === 'fetched');
    assert.equal(reads.fetches, secretReads().length);
    assert.ok(reads.p95 > 0);
  });

  question('Which rooms are joined?', () => {
    const rows = ask('Which rooms are joined?');
    same(rows, count(issued(), 'room').map((group) => ({ tokens: group.length, people: distinct(group, 'person'), room: group[0].room })));
    assert.equal(rows[0].room, 'standup');
  });

  question('Which roles does the policy assign?', () => {
    const rows = ask('Which roles does the policy assign?');
    const given = Object.fromEntries(rows.map(({ role, requests, people }) => [role, [requests, people]]));
    const tokens = (person) => issued().filter((request) => request.person === person).length;
    // The others are three invitations and their three guests.
    assert.deepEqual(given.participant, [tokens('nora') + 6, 4]);
    assert.deepEqual(given.viewer, [1, 1]);
    assert.ok(given.moderator[0] >= tokens('alice') && given.moderator[1] === 1);
  });

  question('Who was refused or removed because of a ban?', () => {
    const rows = ask('Who was refused or removed because of a ban?').reverse();
    const person = subjectOf('nora@example.com');
    assert.deepEqual(rows.map(({ route, code, target, Ejected }) => [route, code, target, Ejected]), [
      ['/v1/rooms/{room}/bans', 'ok', person, undefined],
      ['/token', 'banned', undefined, undefined],
      ['/v1/livekit-webhook', 'ok', person, 1],
    ]);
  });

  question('Requests of one person', () => {
    const rows = ask('Requests of one person', { change: (text) => text.replace('6913dc8d00f5d3d3', subjectOf('nora')) });
    assert.deepEqual(rows.map(({ code }) => code).reverse(), known().filter(({ person }) => person === 'nora').map(({ code }) => code));
  });

  question('Why does the function not start?', () => {
    const line = JSON.stringify({ timestamp: '2026-01-01T00:00:00.000Z', level: 'ERROR', message: 'not started', error: 'OIDC_ISSUER is required' });
    assert.deepEqual(ask('Why does the function not start?', { on: [...allKnown(), line] }).map(({ error }) => error), ['OIDC_ISSUER is required']);
  });

  test('every query of the page is tested and reads only fields of the page', () => {
    assert.deepEqual(questions.filter((title) => !tested.has(title)), []);
    assert.ok(questions.length >= 10);
    for (const title of questions) {
      for (const member of members(queries(title)[0])) assert.ok(member === '@timestamp' || member in fields, `${title} ${member}`);
    }
  });

  test('command of the page computes the subject', () => {
    const [, command] = section('Requests of one person').match(/```sh\n(.*?)\n```/s);
    const { stdout } = run('sh', ['-c', command], { env: { PATH: process.env.PATH, SUB: 'nora', LIVEKIT_API_SECRET: SECRET } });
    assert.equal(stdout.trim(), subjectOf('nora'));
  });
});
