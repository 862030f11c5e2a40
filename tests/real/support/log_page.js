// The tables of docs/operations.md about log lines and metrics, and checks of lines against them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { repository } from './processes.js';

export const page = readFileSync(`${repository}docs/operations.md`, 'utf8');
const problems = readFileSync(`${repository}docs/problems.md`, 'utf8');
const isEmf = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(new URL('emf_schema.json', import.meta.url))));

/** Returns the text below a heading, up to the next heading of its level or above. */
export function section(title) {
  const [, marks] = page.match(new RegExp(`^(#+) ${title.replace(/[?()]/g, '\\$&')}$`, 'm')) ?? assert.fail(`no section "${title}"`);
  const [, rest] = page.split(`\n${marks} ${title}\n`);
  return rest.split(new RegExp(`^#{1,${marks.length}} `, 'm'))[0];
}

/** Returns the rows of the table with these first columns, each as an object by column name. */
export function table(text, ...columns) {
  const head = text.indexOf(`| ${columns.join(' | ')} |`);
  assert.ok(head >= 0, `no table of ${columns}`);
  const [names, , ...rows] = text.slice(head).split(/\n(?!\|)/)[0].split('\n')
    .map((row) => row.slice(1, -1).split('|').map((cell) => cell.trim()));
  return rows.map((row) => Object.fromEntries(names.map((name, place) => [name, row[place]])));
}

const plain = (cell) => cell.replaceAll('`', '');

/** Metrics by name, with the unit and the sets of dimensions. */
export const metrics = Object.fromEntries(table(section('Metrics'), 'Metric', 'Unit', 'Dimensions', 'When').map((row) => [
  row.Metric, { unit: row.Unit, dimensions: row.Dimensions.split('; ').map((set) => set.split('+')) },
]));

/** Types of fields by name. */
export const fields = Object.fromEntries(table(section('Log lines'), 'Field', 'Type', 'In').flatMap(({ Field, Type }) => (
  Field.split(', ').map((name) => [plain(name), Type]))));

/** Levels of lines by `message`. */
export const messages = Object.fromEntries(table(section('Log lines'), '`message`', 'Level', 'When')
  .map((row) => [plain(row['`message`']), row.Level]));

/** Names of upstreams. */
export const upstreams = [...table(section('Log lines'), 'Field', 'Type', 'In').find(({ Field }) => Field === '`upstream`').Meaning.matchAll(/`(\w+)`/g)]
  .map(([, name]) => name);

/** Statuses of problems by code. */
export const codes = Object.fromEntries([...problems.matchAll(/^## (\w+)\n\n\*\*(\d{3})\b/gm)].map(([, code, status]) => [code, Number(status)]));

/** Returns the queries below a heading. */
export function queries(title) {
  return [...section(title).matchAll(/^```insights\n(.*?)\n```$/gms)].map(([, query]) => query);
}

/** Titles of all sections with a query. */
export const questions = [...section('Queries').matchAll(/^### (.*)$/gm)].map(([, title]) => title);

const ROUTES = [
  '/token', '/v1/token', '/v1/token/refresh', '/v1/rooms/{room}/participants/{identity}/mute', '/v1/rooms/{room}/participants/{identity}',
  '/v1/rooms/{room}/participants/{identity}/role', '/v1/rooms/{room}/participants', '/v1/rooms/{room}/hand', '/v1/rooms/{room}',
  '/v1/rooms/{room}/bans', '/v1/rooms/{room}/bans/{identity}', '/v1/rooms/{room}/invitations', '/v1/rooms/{room}/invitations/{jti}',
  '/v1/rooms/{room}/waiting', '/v1/rooms/{room}/waiting/{identity}', '/v1/livekit-webhook',
  '/api/liveblocks-auth', '/health',
];
const TYPES = {
  string: (value) => typeof value === 'string' && value !== '',
  integer: Number.isInteger,
  number: Number.isFinite,
  boolean: (value) => typeof value === 'boolean',
  object: (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
};

/** Checks a log line against the page, and returns it parsed. */
export function checked(text) {
  let line;
  assert.doesNotThrow(() => { line = JSON.parse(text); }, `not JSON: ${text}`);
  for (const [name, value] of Object.entries(line)) {
    assert.ok(name in fields, `the page has no ${name}: ${text}`);
    assert.ok(TYPES[fields[name]](value), `${name} is not of type ${fields[name]}: ${text}`);
  }
  assert.equal(line.level, messages[line.message] ?? assert.fail(`the page has no such line: ${text}`), text);
  assert.match(line.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  if (line.message === 'request') checkRequest(line, text);
  if (/^fetch/.test(line.message)) checkFetch(line, text);
  if (line._aws) checkMetrics(line, text);
  return line;
}

function checkRequest(line, text) {
  for (const name of ['request_id', 'lambda_request_id', 'outcome', 'code', 'status', 'duration_ms', 'cold_start']) assert.ok(name in line, `no ${name}: ${text}`);
  const outcome = line.status < 400 ? 'ok' : line.status < 500 ? 'refused' : 'failed';
  const isRefused = outcome === 'refused' && line.code !== 'awaiting_admission';
  assert.equal(line.outcome, outcome, text);
  assert.equal(line.code === 'ok', outcome === 'ok', text);
  if (outcome !== 'ok') assert.equal(codes[line.code], line.status, text);
  assert.equal('reason' in line, outcome !== 'ok', text);
  assert.ok(line.route === undefined || ROUTES.includes(line.route), text);
  if ('subject' in line) assert.match(line.subject, /^[0-9a-f]{16}$/, text);
  if ('upstream' in line) assert.ok(line.code === 'unavailable' && upstreams.includes(line.upstream), text);
  if ('trace_id' in line) assert.match(line.trace_id, /^1-[0-9a-f]{8}-[0-9a-f]{24}$/, text);

  assert.ok(line.stale === undefined || line.stale, text);
  assert.deepEqual(counted(line), {
    ...(line.jti !== undefined && { Issued: 1 }),
    ...(line.code === 'banned' && { Banned: 1 }),
    // An invitation that is read or revoked has the same field.
    ...(line.route === '/v1/rooms/{room}/invitations' && line.status === 201 && { Invited: 1 }),
    ...(line.guest && line.jti !== undefined && { GuestsAdmitted: 1 }),
    ...(line.guest && isRefused && { GuestsRefused: 1 }),
    // No other field tells a removal by the webhook, and whether a person started to wait.
    ...('Ejected' in line && { Ejected: 1 }),
    ...('Waiting' in line && line.code === 'awaiting_admission' && { Waiting: 1 }),
    ...(line.stale && { StaleServes: 1 }),
    ...(line.ask_ms !== undefined && { Asked: 1 }),
    ...(line.ask === 'no' && { AskRefused: 1 }),
    ...(isRefused && { Refused: 1 }),
    ...(line.status === 503 && { Unavailable: 1 }),
    ...(line.status === 500 && { Internal: 1 }),
    ...(line.route !== undefined && line.route !== '/health' && { Duration: line.duration_ms }),
    ...(line.cold_start && { ColdStart: 1 }),
  }, text);
  assert.equal('_aws' in line, Object.keys(counted(line)).length > 0, text);
}

function checkFetch(line, text) {
  assert.ok(upstreams.includes(line.upstream), text);
  const failed = line.message === 'fetch failed';
  assert.equal('error' in line, failed, text);
  const counter = { keys: 'KeyFetches', discovery: 'KeyFetches', secret: 'SecretFetches' }[line.upstream];
  if (counter) assert.ok('duration_ms' in line, text);
  assert.deepEqual(counted(line), { ...(counter && { [counter]: 1 }), ...(failed && { FetchFailures: 1 }) }, text);
}

/** Returns the metrics of a line by name. */
function counted(line) {
  return Object.fromEntries(Object.keys(metrics).filter((name) => name in line).map((name) => [name, line[name]]));
}

/** Checks metrics against AWS's schema and the rules of its specification about targets and values. */
function checkMetrics(line, text) {
  assert.ok(isEmf(line), `${JSON.stringify(isEmf.errors)}: ${text}`);
  assert.ok(Math.abs(line._aws.Timestamp - Date.parse(line.timestamp)) < 1000, text);
  const written = {};
  for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    assert.equal(Namespace, 'roomkey');
    for (const name of Dimensions.flat()) assert.ok(TYPES.string(line[name]), `dimension ${name}: ${text}`);
    for (const { Name, Unit } of Metrics) {
      assert.ok(Number.isFinite(line[Name]), `target ${Name}: ${text}`);
      assert.equal(Unit, metrics[Name]?.unit, `unit of ${Name}`);
      assert.ok(!(Name in written), `${Name} twice: ${text}`);
      written[Name] = Dimensions;
    }
  }
  assert.deepEqual(written, Object.fromEntries(Object.keys(counted(line)).map((name) => [name, metrics[name].dimensions])), text);
}
