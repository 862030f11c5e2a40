// Statements of docs/deploy.md and samconfig.toml about the template: parameters, permissions, costs, managed instances.
// UPDATE_COSTS=1 updates the tables of times and amounts.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { repository, run, work } from './support/processes.js';
import { stack, text, toolEnv, transform, withDefaults } from './support/template.js';
import { ISSUER, NEW_SECRET, OLD_SECRET } from './support/template_cases.js';
import { lambda, logBytes, tables } from './support/template_costs.js';
import { metricsOf } from './support/template_metrics.js';

const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
const page = read('docs/deploy.md');
/** The rows of the table below a heading. */
const rows = (heading) => page.slice(page.indexOf(`\n## ${heading}\n`)).split('\n\n').find((part) => part.startsWith('|'))
  .split('\n').slice(2).map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
const [{ source, transformed: template }] = transform([{ template: text, parameters: {} }]);
const made = (given) => stack(template, withDefaults(template, given));

describe('docs/deploy.md', () => {
  test('page lists every parameter with its default', () => {
    const documented = rows('Parameters').map(([name, , value]) => [name.replaceAll('`', ''), value.replaceAll('`', '')]);
    const defaults = Object.entries(source.Parameters).map(([name, { Default }]) => [name, Default === undefined ? 'required' : String(Default) || '–']);
    assert.deepEqual(documented, defaults);
  });
  test('page lists every statement of the role', () => {
    const { FunctionRole } = made({ ...ISSUER, ...NEW_SECRET, KmsKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/1', State: 'true' }).resources;
    const statements = FunctionRole.Policies[0].PolicyDocument.Statement.map(({ Sid, Action }) => [Sid, ...[Action].flat()]);
    assert.deepEqual(rows('Permissions of the function').map(([sid, actions]) => [...`${sid} ${actions}`.matchAll(/`([A-Z]\w+|[a-z]+:\w+)`/g)]
      .map(([, name]) => name).filter((name) => name !== 'KmsKeyArn')), statements);
  });
  test('page names the parameters of every rule', () => {
    const [list, rest] = page.slice(page.indexOf('\n## Rejected deployments\n')).split('\nRules cannot detect every fault');
    assert.ok(rest, 'the list has an end');
    for (const { RuleCondition, Assertions } of Object.values(source.Rules)) {
      const names = [...JSON.stringify([RuleCondition, Assertions]).matchAll(/"Ref":"(\w+)"/g)].map(([, name]) => name);
      // The list describes the keys of a secret without the names of their parameters.
      for (const name of names.filter((one) => !/^LiveKit(ApiKey|ApiSecret|SecretArn)$/.test(one))) assert.ok(list.includes(`\`${name}`), name);
    }
  });
  test('outputs on the page exist', () => {
    for (const [, ...names] of page.matchAll(/the output `(\w+)`|^.*its outputs are printed\. `(\w+)`/gm)) for (const name of names) if (name) assert.ok(name in source.Outputs, name);
    for (const name of ['Curl', 'Frontend', 'HealthUrl', 'DomainTarget']) assert.ok(page.includes(`\`${name}\``) && name in source.Outputs, name);
  });
});

describe('time and cost', () => {
  const { resources } = made({ ...ISSUER, ...NEW_SECRET });
  const watched = (of) => metricsOf(Object.fromEntries(Object.entries(resources).filter(([, { type }]) => type === of)));
  // An anomaly detection band is billed as two additional metrics.
  const bands = Object.values(resources).filter(({ ThresholdMetricId }) => ThresholdMetricId).length;
  const expected = tables({
    alarms: watched('AWS::CloudWatch::Alarm').length + 2 * bands,
    metrics: new Set(watched('AWS::CloudWatch::Dashboard').filter(({ namespace }) => namespace === 'roomkey').map(({ name }) => name)).size,
  });

  for (const [name, table] of Object.entries(expected)) {
    test(`table ${name} matches the computed amounts`, () => {
      const between = new RegExp(`(<!-- ${name} -->\\n)([^]*?)(\\n?<!-- end -->)`);
      if (process.env.UPDATE_COSTS) {
        const now = read('docs/deploy.md');
        assert.match(now, between);
        writeFileSync(`${repository}docs/deploy.md`, now.replace(between, (_, begin) => `${begin}\n${table}\n\n<!-- end -->`));
      } else {
        assert.equal(page.match(between)?.[2].trim(), table, 'UPDATE_COSTS=1 updates it');
      }
    });
  }
  test('default memory is the smallest that bills a warm request as one millisecond for every algorithm', () => {
    const { Default } = source.Parameters.MemorySize;
    const { billed } = lambda(Default);
    assert.deepEqual([billed.rs, billed.es], [1, 1]);
    assert.equal(lambda(Default / 2).billed.es, 2);
  });
  test('access log line has the length that the costs assume', () => {
    const sample = {
      requestId: 'JKJaXmPLvHcESHA=', routeKey: 'POST /token', protocol: 'HTTP/1.1', status: '201', responseLatency: '12', integrationLatency: '9',
      integrationStatus: '200', integrationErrorMessage: '-',
    };
    const { Format } = resources.HttpApiApiGatewayDefaultStage.AccessLogSettings;
    const line = Format.replace(/\$context\.(\w+)/g, (_, name) => sample[name]);
    assert.ok(Math.abs(line.length - logBytes.access) < 10, `${line.length} bytes`);
  });
});

describe('managed instances with the lines of docs/deploy.md', () => {
  const [, snippet] = page.match(/<!-- managed instances -->\n\n```yaml\n([^]*?)```/);
  const properties = '      CodeUri: .\n';
  const changed = text.replace(properties, properties + snippet);

  test('SAM creates an alias that the API invokes, with the capacity provider', () => {
    assert.notEqual(changed, text);
    const [{ transformed }] = transform([{ template: changed, parameters: {} }]);
    const { resources } = stack(transformed, withDefaults(transformed, { ...ISSUER, ...OLD_SECRET, MemorySize: '2048' }));
    assert.deepEqual(resources.TokenFunction.CapacityProviderConfig, {
      LambdaManagedInstancesCapacityProviderConfig: {
        CapacityProviderArn: 'arn:aws:lambda:eu-central-1:123456789012:capacity-provider:roomkey', PerExecutionEnvironmentMaxConcurrency: 64,
      },
    });
    assert.equal(resources.TokenFunctionAliaslive.Name, 'live');
    const { uri } = resources.HttpApi.Body.paths['/token'].post['x-amazon-apigateway-integration'];
    assert.match(uri, /<TokenFunctionAliaslive>\/invocations$/);
    const permissions = Object.values(resources).filter(({ type }) => type === 'AWS::Lambda::Permission');
    assert.ok(permissions.length > 0 && permissions.every(({ FunctionName }) => FunctionName === '<TokenFunctionAliaslive>'));
  });
  test('cfn-lint reports nothing for managed instances', () => {
    const path = `${work}/managed-instances.yaml`;
    writeFileSync(path, changed);
    run(`${work}/venv/bin/cfn-lint`, ['--', path], { env: toolEnv });
  });
});

describe('samconfig.toml', () => {
  const parsed = (toml) => JSON.parse(run(`${work}/venv/bin/python`, ['-c', 'import json, sys, tomllib; json.dump(tomllib.loads(sys.stdin.read()), sys.stdout)'], { input: toml }).stdout);
  const config = read('samconfig.toml');

  test('samconfig.toml builds, permits one role and requests confirmation', () => {
    const { default: { build, deploy, global }, staging } = parsed(config);
    assert.equal(build.parameters.beta_features, true);
    const { capabilities, resolve_s3, confirm_changeset } = deploy.parameters;
    assert.deepEqual([capabilities, resolve_s3, confirm_changeset], ['CAPABILITY_IAM', true, true]);
    assert.notEqual(staging.global.parameters.stack_name, global.parameters.stack_name);
    assert.doesNotMatch(config, /LiveKitApi(Key|Secret)=/, 'must not contain secrets');
  });
  test('parameters in the comments of samconfig.toml exist and are valid', () => {
    const commented = config.replaceAll(/^# (?=parameter_overrides|  "|\])/gm, '').replaceAll('…', '1');
    const { default: { deploy }, staging } = parsed(commented);
    const given = (overrides) => Object.fromEntries(overrides.map((item) => item.split(/=(.*)/s).slice(0, 2)));
    for (const { parameters } of [deploy, staging.deploy]) {
      assert.ok(parameters.parameter_overrides.length > 0);
      withDefaults(template, given(parameters.parameter_overrides));
    }
    made(given(deploy.parameters.parameter_overrides));
  });
});
