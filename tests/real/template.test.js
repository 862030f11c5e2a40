// template.yaml as evaluated by SAM and CloudFormation: permissions, secrets, logs, routes, alarms and dashboard.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { repository, run, work } from './support/processes.js';
import { stack, text, toolEnv, transform, withDefaults } from './support/template.js';
import { ARN, ISSUER, OLD_SECRET, combinations } from './support/template_cases.js';
import { metricsOf } from './support/template_metrics.js';

const few = [combinations[0], combinations.at(-1), { ...ISSUER, ...OLD_SECRET, Architecture: 'x86_64', AllowedOrigins: '*' }];
const [{ source, transformed: template }, ...atDeployments] = transform([{}, ...few].map((parameters) => ({ template: text, parameters })));
const stacks = combinations.map((given) => ({ given, ...stack(template, withDefaults(template, given)) }));
/** Applies `assertion` to the stack of each combination, and adds the failing parameters to the message. */
const each = (assertion) => stacks.forEach((one) => {
  try {
    assertion(one);
  } catch (error) {
    error.message = `${JSON.stringify(one.given)}: ${error.message}`;
    throw error;
  }
});
const ofType = ({ resources }, type) => Object.values(resources).filter((resource) => resource.type === type);

describe('SAM and cfn-lint', () => {
  test('sam validate --lint accepts the template', () => { run(`${work}/venv/bin/sam`, ['validate', '--lint'], { env: toolEnv }); });
  test('cfn-lint reports nothing, including informational findings', () => {
    run(`${work}/venv/bin/cfn-lint`, ['--include-checks', 'I', '--', 'template.yaml'], { env: toolEnv });
  });
  test('SAM transform does not depend on the parameters', () => {
    for (const [place, { transformed }] of atDeployments.entries()) {
      const parameters = withDefaults(template, few[place]);
      assert.deepEqual(stack(transformed, parameters), stack(template, parameters));
    }
  });
  test('SAM transform keeps the rules unchanged', () => assert.deepEqual(template.Rules, source.Rules));
});

describe('permissions', () => {
  /** All permissions of the function: actions, the one resource, and the condition. */
  const wanted = ({ given }) => {
    const secret = given.LiveKitSecretArn ?? '<LiveKitSecret>';
    const context = { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com', 'kms:EncryptionContext:SecretARN': secret };
    return [
      { Sid: 'Logs', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: '<LogGroup.Arn>' },
      { Sid: 'Secret', Action: 'secretsmanager:GetSecretValue', Resource: secret },
      ...(given.KmsKeyArn ? [{ Sid: 'Key', Action: 'kms:Decrypt', Resource: ARN.key, Condition: { StringEquals: context } }] : []),
      ...(given.State ? [{ Sid: 'State', Action: ['dynamodb:BatchGetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'], Resource: '<StateTable.Arn>' }] : []),
      ...(given.Tracing ? [] : [{ Sid: 'Traces', Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Resource: '*' }]),
    ].map((statement) => ({ ...statement, Effect: 'Allow' }));
  };

  test('role has exactly the wanted statements and no other resource grants permissions', () => each((one) => {
    const roles = Object.entries(one.resources).filter(([, { type }]) => type.startsWith('AWS::IAM::'));
    assert.deepEqual(roles.map(([name]) => name), ['FunctionRole']);
    const [[, { type, AssumeRolePolicyDocument, Policies, ...rest }]] = roles;
    assert.equal(type, 'AWS::IAM::Role');
    assert.deepEqual(rest, {}, 'no managed policies');
    assert.deepEqual(Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement), wanted(one));
    assert.deepEqual(AssumeRolePolicyDocument.Statement, [
      { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
    ]);
    assert.equal(one.resources.TokenFunction.Role, '<FunctionRole.Arn>');
  }));

  test('every statement except X-Ray names one resource', () => each((one) => {
    for (const { Sid, Action, Resource, NotAction, NotResource } of one.resources.FunctionRole.Policies[0].PolicyDocument.Statement) {
      assert.equal(typeof Resource, 'string', Sid);
      assert.deepEqual([NotAction, NotResource], [undefined, undefined]);
      for (const action of [Action].flat()) assert.match(action, /^[a-z]+:[A-Za-z]+$/, 'no wildcard');
      if (Sid !== 'Traces') assert.match(Resource, /^(<[A-Za-z.]+>|arn:[^*?]+)$/, Sid);
      else assert.ok([Action].flat().every((action) => action.startsWith('xray:')));
    }
  }));

  test('only this API may invoke the function, and only through its routes', () => each((one) => {
    const paths = Object.entries(one.resources.HttpApi.Body.paths);
    const routes = paths.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()}${path.replace(/\{\w+\+?\}/g, '*')}`));
    const permissions = ofType(one, 'AWS::Lambda::Permission');
    const sources = routes.map((route) => `arn:aws:execute-api:eu-central-1:123456789012:<HttpApi>/*/${route}`);
    assert.deepEqual(permissions.map(({ SourceArn }) => SourceArn).sort(), sources.sort());
    for (const { Action, Principal, FunctionName } of permissions) {
      assert.deepEqual([Action, Principal, FunctionName], ['lambda:InvokeFunction', 'apigateway.amazonaws.com', '<TokenFunction>']);
    }
  }));

  test('stack contains only the expected types of resources', () => each((one) => {
    const expected = new Set([
      'AWS::ApiGatewayV2::Api', 'AWS::ApiGatewayV2::ApiMapping', 'AWS::ApiGatewayV2::DomainName', 'AWS::ApiGatewayV2::Stage',
      'AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard', 'AWS::DynamoDB::Table', 'AWS::IAM::Role', 'AWS::Lambda::Function', 'AWS::Lambda::Permission',
      'AWS::Logs::LogGroup', 'AWS::Route53::RecordSet', 'AWS::SecretsManager::Secret',
    ]);
    for (const [name, { type }] of Object.entries(one.resources)) assert.ok(expected.has(type), `${name} is a ${type}`);
  }));

  test('moto, which evaluates conditions itself, creates the same role', () => {
    const asked = [combinations[0], { ...ISSUER, ...OLD_SECRET, KmsKeyArn: ARN.key }, { ...ISSUER, ...OLD_SECRET, Tracing: 'PassThrough' }]
      .map((given) => stacks.find((one) => JSON.stringify(one.given) === JSON.stringify(given)));
    const { stdout } = run(`${work}/venv/bin/python`, [`${repository}tests/real/support/template_stack.py`], {
      input: JSON.stringify({ template, parameters: asked.map(({ given }) => given) }), env: toolEnv,
    });
    const made = JSON.parse(stdout.trim().split('\n').at(-1));
    assert.equal(made.length, asked.length);
    for (const [place, one] of asked.entries()) {
      const group = '/aws/lambda/roomkey';
      const statements = JSON.parse(JSON.stringify(wanted(one)).replaceAll('<LogGroup.Arn>', `arn:aws:logs:eu-central-1:123456789012:log-group:${group}`));
      // moto does not create secrets.
      const known = (all) => all.map(({ Resource, Condition, ...rest }) => (one.given.LiveKitSecretArn ? { Resource, Condition, ...rest } : rest));
      assert.deepEqual(known(made[place].statements), known(statements));
      assert.deepEqual(made[place].groups, { [group]: 30, '/aws/vendedlogs/roomkey/access': 30 });
      const { LIVEKIT_SECRET_ID: id, ...variables } = one.resources.TokenFunction.Environment.Variables;
      const { LIVEKIT_SECRET_ID: madeId, ...madeVariables } = made[place].variables;
      assert.deepEqual(madeVariables, variables);
      if (one.given.LiveKitSecretArn) assert.equal(madeId, id);
    }
  });
});

describe('secrets', () => {
  test('new secret contains the two keys, and no other part of the stack does', () => each(({ given, resources, outputs }) => {
    const { LiveKitSecret, ...rest } = resources;
    assert.equal(LiveKitSecret === undefined, given.LiveKitSecretArn !== undefined);
    if (LiveKitSecret) {
      assert.deepEqual(JSON.parse(LiveKitSecret.SecretString), { LIVEKIT_API_KEY: 'APIkey', LIVEKIT_API_SECRET: 's'.repeat(32) });
      assert.equal(LiveKitSecret.KmsKeyId, given.KmsKeyArn);
    }
    assert.doesNotMatch(JSON.stringify([rest, outputs]), /APIkey|ssss/);
    assert.equal(resources.TokenFunction.Environment.Variables.LIVEKIT_SECRET_ID, given.LiveKitSecretArn ?? '<LiveKitSecret>');
  }));
  test('parameters with keys are not displayed by CloudFormation', () => {
    for (const name of ['LiveKitApiKey', 'LiveKitApiSecret']) assert.equal(template.Parameters[name].NoEcho, true, name);
  });
});

describe('state', () => {
  test('table exists only with State, with its keys, end of items, encryption and recovery', () => each(({ given, resources, outputs }) => {
    const { StateTable } = resources;
    assert.equal(resources.TokenFunction.Environment.Variables.STATE_TABLE, given.State ? '<StateTable>' : '');
    assert.equal(outputs.StateTableName, given.State ? '<StateTable>' : undefined);
    assert.deepEqual(StateTable, given.State ? {
      type: 'AWS::DynamoDB::Table',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'room', AttributeType: 'S' }, { AttributeName: 'who', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'room', KeyType: 'HASH' }, { AttributeName: 'who', KeyType: 'RANGE' }],
      TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true },
      SSESpecification: { SSEEnabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    } : undefined);
  }));
  test('table is kept if the stack is deleted', () => {
    const { DeletionPolicy, UpdateReplacePolicy } = template.Resources.StateTable;
    assert.deepEqual([DeletionPolicy, UpdateReplacePolicy], ['Retain', 'Retain']);
  });
});

describe('logs', () => {
  const ALLOWED = ['integrationErrorMessage', 'integrationLatency', 'integrationStatus', 'protocol', 'requestId', 'responseLatency', 'routeKey', 'status'];
  test('access log is JSON without personal data', () => each((one) => {
    const [{ AccessLogSettings: { DestinationArn, Format } }] = ofType(one, 'AWS::ApiGatewayV2::Stage');
    assert.equal(DestinationArn, '<AccessLogGroup.Arn>');
    assert.deepEqual(JSON.parse(Format), Object.fromEntries(ALLOWED.map((name) => [name, `$context.${name}`])));
    assert.doesNotMatch(Format, /header|query|path|identity|sourceIp|userAgent|authorizer|requestOverride/i);
  }));
  test('both log groups have a retention and the function writes to its own', () => each((one) => {
    assert.deepEqual(ofType(one, 'AWS::Logs::LogGroup').map(({ RetentionInDays }) => RetentionInDays), [30, 30]);
    const { LogGroup, LogFormat, ApplicationLogLevel, SystemLogLevel } = one.resources.TokenFunction.LoggingConfig;
    // Lambda must not drop lines that RUST_LOG allows.
    assert.deepEqual([LogGroup, LogFormat, ApplicationLogLevel, SystemLogLevel], ['<LogGroup>', 'JSON', 'TRACE', 'WARN']);
  }));
});

describe('the API', () => {
  test('CORS allows the listed origins, and credentials only with a session cookie', () => each(({ given, resources }) => {
    assert.deepEqual(resources.HttpApi.Body['x-amazon-apigateway-cors'], {
      allowOrigins: ['https://app.example'],
      allowHeaders: ['Authorization', 'Content-Type', 'X-Roomkey-Guest'],
      allowMethods: ['POST', 'GET', 'PUT', 'DELETE', 'OPTIONS'],
      exposeHeaders: ['Retry-After', 'WWW-Authenticate'],
      maxAge: 7200,
      ...(given.SessionCookie && { allowCredentials: true }),
    });
  }));
  test('API has throttling limits and the function its reserved concurrency', () => each((one) => {
    const [{ DefaultRouteSettings }] = ofType(one, 'AWS::ApiGatewayV2::Stage');
    assert.deepEqual(DefaultRouteSettings, { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 });
    assert.equal(one.resources.TokenFunction.ReservedConcurrentExecutions, one.given.ReservedConcurrency);
  }));
  test('custom domain name has a mapping and a record', () => each(({ given, resources, outputs }) => {
    const parts = { Domain: given.DomainName, DomainMapping: given.DomainName, DomainRecord: given.HostedZoneId };
    for (const [name, wish] of Object.entries(parts)) assert.equal(name in resources, wish !== undefined, name);
    if (given.DomainName) {
      const { ApiId, DomainName, Stage, ApiMappingKey } = resources.DomainMapping;
      assert.deepEqual([ApiId, DomainName, Stage, ApiMappingKey], ['<HttpApi>', '<Domain>', '<HttpApiApiGatewayDefaultStage>', given.BasePath]);
    }
    const base = `https://${given.DomainName ?? '<HttpApi>.execute-api.eu-central-1.amazonaws.com'}${given.BasePath ? `/${given.BasePath}` : ''}`;
    assert.equal(outputs.TokenUrl, `${base}/token`);
    assert.equal(outputs.HealthUrl, `${base}/health`);
    assert.equal(outputs.WebhookUrl, given.State && `${base}/v1/livekit-webhook`);
    assert.ok(outputs.Curl.startsWith(`curl -i ${base}/token -H "Authorization: Bearer $ACCESS_TOKEN"`));
    // The snippet is a program and is executed.
    const asked = [];
    const tokenSource = { endpoint: (url, { headers }) => asked.push(url, headers.Authorization, headers.Authorization) };
    let fetches = 0;
    new Function('TokenSource', 'idpToken', outputs.Frontend)(tokenSource, () => `token${fetches++}`);
    assert.deepEqual(asked, [`${base}/token`, 'Bearer token0', 'Bearer token1'], 'a fresh token per fetch');
  }));
});

describe('alarms and dashboard', () => {
  /** Metrics of the function with their sets of dimensions, from the table of docs/operations.md. */
  const OWN = Object.fromEntries([...readFileSync(`${repository}docs/operations.md`, 'utf8').matchAll(/^\| (\w+) \| (?:Count|Milliseconds) \| ([^|]+) \|/gm)]
    .map(([, name, sets]) => [name, sets.trim().split('; ').map((set) => set.replaceAll('+', ','))]));
  /** Metrics of AWS. An unknown name would leave a graph empty. */
  const AWS = {
    'AWS/ApiGateway': { dimension: 'ApiId', names: ['5xx', 'Count', 'Latency'] },
    'AWS/Lambda': { dimension: 'FunctionName', names: ['ConcurrentExecutions', 'Errors', 'Throttles'] },
  };
  const isSwitchedOn = ({ given }) => given.Alarms !== 'false' && given.Dashboard !== 'false';

  test('watched metrics exist with their dimensions', () => each(({ resources }) => {
    for (const { namespace, name, dimensions } of metricsOf(resources)) {
      const known = namespace === 'roomkey' ? OWN[name] : AWS[namespace]?.names.includes(name) && [AWS[namespace].dimension];
      assert.ok(known && known.includes(dimensions.join()), `${namespace} ${name} by ${dimensions}`);
    }
  }));
  test('every metric of the function is watched with each of its sets of dimensions', () => stacks.filter(isSwitchedOn).forEach(({ resources }) => {
    const forms = metricsOf(resources).filter(({ namespace }) => namespace === 'roomkey').map(({ name, dimensions }) => `${name} by ${dimensions}`);
    const wanted = Object.entries(OWN).flatMap(([name, sets]) => sets.map((set) => `${name} by ${set}`));
    assert.ok(wanted.length > 10);
    assert.deepEqual([...new Set(forms)].sort(), wanted.sort());
  }));
  test('stack has eight alarms, with state nine, or none, each with a description and the topic if it is set', () => each((one) => {
    const alarms = ofType(one, 'AWS::CloudWatch::Alarm');
    assert.equal(alarms.length, one.given.Alarms === 'false' ? 0 : one.given.State ? 9 : 8);
    const actions = one.given.AlarmTopicArn && [ARN.topic];
    for (const { AlarmName, AlarmDescription, TreatMissingData, AlarmActions, OKActions } of alarms) {
      assert.match(AlarmName, /^roomkey [a-z ]+$/);
      assert.match(AlarmDescription, /^[A-Z].+\.$/, AlarmName);
      assert.deepEqual([TreatMissingData, AlarmActions, OKActions], ['notBreaching', actions, actions], AlarmName);
    }
    assert.equal(new Set(alarms.map(({ AlarmName }) => AlarmName)).size, alarms.length);
  }));
  test('every alarm watches its metrics', () => {
    const { resources } = stacks[0];
    const about = (name) => metricsOf({ [name]: resources[name] }).map((metric) => `${metric.namespace} ${metric.name}`).join(', ');
    assert.deepEqual(Object.fromEntries(Object.keys(resources).filter((name) => name.endsWith('Alarm')).map((name) => [name, about(name)])), {
      ServerErrorsAlarm: 'AWS/ApiGateway 5xx, AWS/ApiGateway Count',
      UnavailableAlarm: 'roomkey Unavailable',
      InternalAlarm: 'roomkey Internal',
      StartErrorsAlarm: 'AWS/Lambda Errors',
      ThrottlesAlarm: 'AWS/Lambda Throttles',
      LatencyAlarm: 'AWS/ApiGateway Latency',
      RefusalsAlarm: 'roomkey Refused',
      StaleServesAlarm: 'roomkey StaleServes',
    });
    assert.equal(resources.LatencyAlarm.ExtendedStatistic, 'p99');
    assert.equal(resources.LatencyAlarm.Threshold, 2000);
    const { Expression } = resources.RefusalsAlarm.Metrics.find(({ Id }) => Id === resources.RefusalsAlarm.ThresholdMetricId);
    assert.match(Expression, /^ANOMALY_DETECTION_BAND\(refused, \d\)$/);
  });
  test('stack has one dashboard or none, with its own region, function and log group', () => each((one) => {
    const dashboards = ofType(one, 'AWS::CloudWatch::Dashboard');
    assert.equal(dashboards.length, one.given.Dashboard === 'false' ? 0 : 1);
    assert.equal('DashboardUrl' in one.outputs, dashboards.length === 1);
    for (const { DashboardBody } of dashboards) {
      const { widgets } = JSON.parse(DashboardBody);
      assert.ok(widgets.every(({ properties }) => properties.region === 'eu-central-1' && properties.title));
      assert.match(DashboardBody, /SOURCE '<LogGroup>'/);
      assert.doesNotMatch(DashboardBody, /\$\{(?!PROP\()/, 'no variable is left');
      const cells = widgets.map(({ x, y, width, height }) => [x, y, x + width, y + height]);
      const overlaps = ([left, top, right, bottom], [x, y, endX, endY]) => left < endX && x < right && top < endY && y < bottom;
      for (const [place, cell] of cells.entries()) assert.ok(!cells.slice(place + 1).some((other) => overlaps(cell, other)), 'widgets overlap');
    }
  }));
});
