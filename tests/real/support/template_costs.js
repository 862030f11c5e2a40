// Times and costs of docs/deploy.md, computed from docs/performance.md and the price lists.
import { readFileSync } from 'node:fs';
import { repository } from './processes.js';

/** Prices in dollars in us-east-1 in November 2026, without free tiers and volume discounts. */
const PRICES = {
  'Lambda, arm64, GB-second': 0.0000133334,
  'Lambda, million requests': 0.2,
  'API Gateway, HTTP API, million requests': 1,
  'CloudWatch Logs, GB ingested': 0.5,
  'CloudWatch, metric per month': 0.3,
  'CloudWatch, alarm metric per month': 0.1,
  'CloudWatch, dashboard per month': 3,
  'X-Ray, million traces': 5,
  'Secrets Manager, secret per month': 0.4,
  'Secrets Manager, 10,000 calls': 0.05,
  'KMS, key per month': 1,
  'Data transfer out, GB': 0.09,
};
/** Megabytes that provide a whole processor. */
const WHOLE = 1769;
const MEMORY = [128, 256, 512, 1024, 1769];
const DEFAULT = 256;
/** Number of requests per cold start. */
const COLD = 100;
/** Bytes of a function log line with its metrics, of an access log line, and of a response with its headers. */
const BYTES = { line: 700, access: 200, answer: 1500 };
export const logBytes = BYTES;

/** Benchmark figures of docs/performance.md. */
export function figures() {
  const page = readFileSync(`${repository}docs/performance.md`, 'utf8');
  const row = (heading) => {
    const table = page.slice(page.indexOf(heading)).split('\n').filter((line) => line.startsWith('|'));
    const columns = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
    const [names] = table;
    const values = columns(table.find((line) => line.startsWith('| roomkey |')));
    return Object.fromEntries(columns(names).map((name, place) => [name, Number.parseFloat(values[place])]));
  };
  return {
    initCpu: row('### Cold start')['CPU ms to first response'],
    upstream: Number(page.match(/### Cold start \(\d+ rounds, upstream responses delayed by (\d+) ms\)/)[1]),
    rs256: row('### Warm, RS256')['CPU µs per request'] / 1000,
    es256: row('### Warm, ES256')['CPU µs per request'] / 1000,
  };
}

/** Lambda's charge for a million tokens with its intermediate values. Times are in milliseconds. */
export function lambda(memory, { initCpu, upstream, rs256, es256 } = figures()) {
  const share = memory / WHOLE;
  const [cold, rs, es] = [initCpu, rs256, es256].map((cpu) => cpu / Math.min(share, 1));
  const billed = { cold: Math.ceil(upstream + cold), rs: Math.ceil(rs), es: Math.ceil(es) };
  const seconds = (1e6 * billed.rs + (1e6 / COLD) * billed.cold) / 1000;
  const compute = seconds * (memory / 1024) * PRICES['Lambda, arm64, GB-second'];
  return { share, cold: upstream + cold, rs, es, billed, compute, total: compute + PRICES['Lambda, million requests'] };
}

const dollars = (amount, digits = 2) => `$${amount.toFixed(digits)}`;
const table = (head, ...rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const perGigabyte = (bytes, price) => (1e6 * bytes / 1e9) * PRICES[price];

/** Costs of a million tokens by item. */
function million(memory = DEFAULT) {
  return {
    'API Gateway': PRICES['API Gateway, HTTP API, million requests'],
    'Lambda': lambda(memory).total,
    [`Function log, ${BYTES.line.toLocaleString('en')} bytes per line`]: perGigabyte(BYTES.line, 'CloudWatch Logs, GB ingested'),
    [`Access log, ${BYTES.access} bytes per line`]: perGigabyte(BYTES.access, 'CloudWatch Logs, GB ingested'),
    [`Data transfer out, ${BYTES.answer.toLocaleString('en')} bytes per response`]: perGigabyte(BYTES.answer, 'Data transfer out, GB'),
    'Secret, one read per cold start': (1e6 / COLD / 10_000) * PRICES['Secrets Manager, 10,000 calls'],
  };
}
const sum = (items) => Object.values(items).reduce((total, amount) => total + amount, 0);

function sizes() {
  const head = [
    'Memory, MB', 'Share of a processor', 'Cold start, ms', 'Warm request, ms', 'Billed, ms', 'ES256: warm, billed',
    'Compute', 'Lambda with its requests', 'Total',
  ];
  return table(head, ...MEMORY.map((size) => {
    const { share, cold, rs, es, billed, compute, total } = lambda(size);
    return [
      size.toLocaleString('en'), `${(100 * share).toFixed(0)} %`, cold.toFixed(0), rs.toFixed(2), String(billed.rs),
      `${es.toFixed(2)}, ${billed.es}`, dollars(compute, 4), dollars(total, 3), dollars(sum(million(size)), 3),
    ];
  }));
}

function amounts(head, items, digits) {
  const rows = Object.entries(items).map(([name, amount]) => [name, dollars(amount, digits)]);
  return table(head, ...rows, ['**Total**', `**${dollars(sum(items), digits)}**`]);
}

/** Monthly costs that do not depend on the number of requests. */
const fixed = ({ alarms, metrics }) => ({
  'Secret': PRICES['Secrets Manager, secret per month'],
  'Customer-managed KMS key': PRICES['KMS, key per month'],
  [`Alarms, ${alarms} metrics in total`]: alarms * PRICES['CloudWatch, alarm metric per month'],
  [`Metrics of the function, ${metrics} in total`]: metrics * PRICES['CloudWatch, metric per month'],
  'Dashboard': PRICES['CloudWatch, dashboard per month'],
});

/** The tables by the name that precedes each in docs/deploy.md. `stack` counts the billed resources. */
export const tables = (stack) => ({
  memory: sizes(),
  million: amounts([`Item, at ${DEFAULT} MB`, 'Per million tokens'], million(), 3),
  month: amounts(['Item', 'Per month'], fixed(stack), 2),
  prices: table(['Item', 'Price, $'], ...Object.entries(PRICES).map(([name, amount]) => [name, String(amount)])),
});
