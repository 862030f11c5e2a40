// Comparison of docs/operations.md with the template's alarms and dashboard, the texts in the code, and its own sums. The
// links of docs/rotation.md and SECURITY.md are checked as well.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { codes, metrics, page, queries, section, table, upstreams } from './support/log_page.js';
import { members, query } from './support/logs_insights.js';
import { repository } from './support/processes.js';
import { stack, text as templateText, transform, withDefaults } from './support/template.js';
import { metricsOf } from './support/template_metrics.js';

const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
const parameters = {
  OidcIssuer: 'https://idp.example', OidcAudience: 'roomkey', AllowedOrigins: 'https://app.example',
  LiveKitSecretArn: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:livekit-AbCdEf', State: 'true',
};
// With state, the default stack has all alarms and the dashboard.
const [{ transformed }] = transform([{ template: templateText, parameters }]);
const { resources, outputs } = stack(transformed, withDefaults(transformed, parameters));
const alarms = Object.values(resources).filter(({ type }) => type === 'AWS::CloudWatch::Alarm');
const watched = metricsOf(resources);

describe('the page', () => {
  test('page lists every metric of alarms and dashboard', () => {
    const aws = table(section('Metrics'), 'Metric', 'Namespace').flatMap(({ Metric, Namespace }) => Metric.split(', ').map((name) => `${Namespace} ${name}`));
    for (const { namespace, name } of watched) assert.ok(namespace === 'roomkey' ? name in metrics : aws.includes(`${namespace} ${name}`), `${namespace} ${name}`);
    for (const metric of aws) assert.ok(watched.some(({ namespace, name }) => metric === `${namespace} ${name}`), metric);
  });

  test('run book has a section for every alarm and no other', () => {
    const titles = [...section('Run book').matchAll(/^### `(.*)`$/gm)].map(([, title]) => title);
    assert.deepEqual(titles.sort(), alarms.map(({ AlarmName }) => AlarmName.replace(/^roomkey /, '')).sort());
    for (const title of titles) {
      for (const part of ['First look', 'Usual causes', 'What to do', 'It ends by itself']) {
        assert.match(section(`\`${title}\``), new RegExp(`^- ${part}`, 'm'), `${title}: ${part}`);
      }
    }
  });

  test('outputs and parameters on the page exist in the template', () => {
    const known = new Set([...templateText.matchAll(/^ {2}(\w+):$/gm)].map(([, name]) => name));
    for (const name of ['DashboardUrl', 'Logs', 'AccessLogs', 'FunctionName', 'SecretArn']) assert.ok(page.includes(`\`${name}\``) && name in outputs, name);
    for (const [, name] of page.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)(?:=\w+)?`/g)) {
      assert.ok(name in metrics || known.has(name) || name in outputs || /^(GetSecretValue|ConcurrentExecutions|AccessLogSettings|\w+Exception)$/.test(name), name);
    }
  });

  test('page lists exactly the reasons of a 401 in the code', () => {
    const said = ['bearer', 'oidc/error'].flatMap((file) => [...read(`src/${file}.rs`).matchAll(/#\[error\(\s*"([^"]*)"\s*\)\]/g)])
      .map(([, text]) => text.replace(/\{\d\}/g, '…'));
    const told = table(section('Diagnosing a 401'), '`reason`', 'Cause').flatMap((row) => [...row['`reason`'].matchAll(/`([^`]+)`/g)].map(([, reason]) => reason));
    assert.deepEqual(told.sort(), said.sort());
  });

  test('codes and upstreams in tables of causes exist', () => {
    const rows = table(section('`refusals`'), '`code`', 'Usual causes').flatMap((row) => row['`code`'].replaceAll('`', '').split(', '));
    for (const code of rows) assert.ok(codes[code] >= 400 && codes[code] < 500, code);
    const unavailable = table(section('`unavailable`'), '`upstream`', 'Usual causes').flatMap((row) => row['`upstream`'].replaceAll('`', '').split(', '));
    assert.deepEqual(unavailable.sort(), [...upstreams].sort());
  });

  test('costs match the numbers of metrics and alarms', () => {
    const costs = section('Monitoring costs').replaceAll(/\n +/g, ' ');
    // A person who waits is not counted as refused.
    const refusals = Object.entries(codes).filter(([code, status]) => status < 500 && code !== 'awaiting_admission').length;
    const alone = Object.keys(metrics).length;
    // `deadline` is not an upstream that receives requests.
    const asked = upstreams.filter((name) => name !== 'deadline').length;
    const most = alone + refusals + upstreams.length + asked;
    assert.ok(costs.includes(`${alone} with the dimension of the function only, and one per \`code\` (${refusals}), `
      + `per \`upstream\` of a 503 (${upstreams.length}) and of a failed fetch (${asked})`));
    assert.ok(costs.includes(`That is ${most} if all of them are written in every hour.`) && costs.includes(`$${(most * 0.3).toFixed(2)}`));
    // An alarm on an anomaly detection band counts the metric and the two limits of the band.
    const counted = alarms.reduce((sum, { Metrics }) => sum + (Metrics ?? [{ MetricStat: true }]).reduce((more, { MetricStat, Expression }) => (
      more + (MetricStat ? 1 : 0) + (Expression?.startsWith('ANOMALY') ? 2 : 0)), 0), 0);
    assert.ok(costs.includes(`| $${(counted * 0.1).toFixed(2)} |`), `${counted} metrics in alarms`);

    const rows = Object.fromEntries(table(costs, 'What', 'Price', 'Per month').map((row) => [row.What, row]));
    const [, line, access] = costs.match(/one line of (\d+) bytes, and one of (\d+) in the access log/);
    assert.equal(rows.logs['Per month'], `$${((Number(line) + Number(access)) * 1e6 / 1e9 * 0.5).toFixed(2)}`);
    const amounts = (cell) => [...cell.matchAll(/\$(\d+\.\d\d)/g)].map(([, amount]) => Number(amount));
    const parts = Object.values(rows).filter((row) => row.What !== 'together').map((row) => row['Per month']);
    const sum = (which) => parts.reduce((total, cell) => total + (which(cell, amounts(cell)) ?? 0), 0).toFixed(2);
    const least = sum((cell, all) => (cell.startsWith('up to') ? 0 : all[0]));
    assert.equal(rows.together['Per month'], `$${least} to $${sum((_, all) => all.at(-1))}`);
  });

  test('links lead to existing pages and sections', () => {
    const anchor = (title) => title.toLowerCase().replace(/`/g, '').replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
    for (const name of ['docs/operations.md', 'docs/rotation.md', 'SECURITY.md']) {
      const folder = name.includes('/') ? 'docs/' : '';
      for (const [, path, at] of read(name).matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)) {
        const target = path ? new URL(path, `file:///${folder}`).pathname.slice(1) : name;
        const titles = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchor(title));
        assert.ok(!at || titles.includes(at), `${name}: ${path}#${at}`);
      }
    }
  });

  test('query of the access log reads only fields of its format', () => {
    const format = Object.values(resources).find(({ AccessLogSettings }) => AccessLogSettings).AccessLogSettings.Format;
    const [, question] = queries('Why did this request fail?');
    const entry = format.replaceAll('$context.requestId', 'JKJaXmPLvHcESHA=').replace(/\$context\.\w+/g, '0');
    for (const member of members(question)) assert.ok(member === '@timestamp' || member in JSON.parse(format), member);
    assert.equal(query(question, [JSON.stringify({ ...JSON.parse(entry), timestamp: '2026-01-01T00:00:00Z' })]).length, 1);
  });
});
