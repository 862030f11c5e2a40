// The deployment without SAM in docs/deploy.md. Its files and commands run with cargo-lambda against moto in place of
// AWS. A function with the deployed variables answers requests.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { judgeAnswer } from './support/judge.js';
import { startFunction } from './support/lambda.js';
import { bootstrap, eventually, freePort, listening, repository, run, start, work } from './support/processes.js';

const section = readFileSync(`${repository}docs/deploy.md`, 'utf8').split('\n## Without SAM\n')[1];
/** Returns the first block of the language after the words. */
const block = (language, words) => section.slice(section.indexOf(words)).match(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``))[1];
const trust = block('json', '`trust.json`');
const permissions = JSON.parse(block('json', '`permissions.json`'));
const variables = block('sh', '`roomkey.env`');
/** Returns the command with this beginning as a list of words. */
const command = (begin) => {
  const line = section.replaceAll('\\\n', ' ').split('\n').find((one) => one.startsWith(`$ ${begin} `)) ?? assert.fail(begin);
  return line.slice(2).split(/\s+/);
};

const cargoLambda = `${work}/build-tools/bin/cargo-lambda`;
const folder = `${work}/deploy`;
const archive = `${folder}/lambda/bootstrap/bootstrap.zip`;
let moto;
let url;

/** Sends a request to moto, which reads the service from the credential scope and does not check the signature. */
async function ask(service, path, init = {}) {
  const response = await fetch(`${url}${path}`, {
    ...init,
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=operator/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`, ...init.headers },
  });
  const answer = await response.text();
  assert.ok(response.ok, `${service}${path}: ${response.status} ${answer}`);
  return answer.startsWith('{') ? JSON.parse(answer) : answer;
}
const about = (path) => ask('lambda', path);

/** Runs the documented command with these variables against moto. */
function deploy(text) {
  writeFileSync(`${folder}/roomkey.env`, text);
  const words = command('cargo lambda deploy').slice(2).map((word) => (word === 'roomkey.env' ? `${folder}/roomkey.env` : word));
  return run(cargoLambda, ['lambda', ...words, '--lambda-dir', `${folder}/lambda`, '--endpoint-url', url, '--output-format', 'json'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'testing', AWS_SECRET_ACCESS_KEY: 'testing', AWS_EC2_METADATA_DISABLED: 'true' },
  });
}

before(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/lambda/bootstrap`, { recursive: true });
  // The same archive as from `cargo lambda build --output-format zip`.
  copyFileSync(bootstrap, `${folder}/bootstrap`);
  run('zip', ['-q9j', archive, `${folder}/bootstrap`]);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  moto = start(`${work}/venv/bin/moto_server`, ['-H', '127.0.0.1', '-p', String(port)]);
  await eventually('moto listens', () => listening(port), 30);
});
after(() => moto?.stop());

describe('the role', () => {
  test('role without SAM has the permissions of the template, each on one resource', () => {
    assert.deepEqual(permissions.Statement.map(({ Effect, Action, Resource }) => [Effect, [Action].flat(), Resource.replace(/:\d{12}:/, ':ACCOUNT:')]), [
      ['Allow', ['logs:CreateLogStream', 'logs:PutLogEvents'], 'arn:aws:logs:eu-central-1:ACCOUNT:log-group:/aws/lambda/roomkey:*'],
      ['Allow', ['secretsmanager:GetSecretValue'], 'arn:aws:secretsmanager:eu-central-1:ACCOUNT:secret:livekit-AbCdEf'],
      ['Allow', ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*'],
    ]);
  });
  test('role can be assumed by Lambda only', async () => {
    assert.deepEqual(JSON.parse(trust).Statement, [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }]);
    assert.deepEqual(command('aws iam create-role'), ['aws', 'iam', 'create-role', '--role-name', 'roomkey', '--assume-role-policy-document', 'file://trust.json']);
    assert.deepEqual(command('aws iam put-role-policy').slice(3), ['--role-name', 'roomkey', '--policy-name', 'roomkey', '--policy-document', 'file://permissions.json']);
    const iam = (form) => ask('iam', '/', {
      method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: new URLSearchParams({ ...form, RoleName: 'roomkey', Version: '2010-05-08' }),
    });
    const created = await iam({ Action: 'CreateRole', AssumeRolePolicyDocument: trust });
    const arn = created.match(/<Arn>(.*)<\/Arn>/)[1];
    assert.ok(command('cargo lambda deploy').includes(arn), arn);
    await iam({ Action: 'PutRolePolicy', PolicyName: 'roomkey', PolicyDocument: JSON.stringify(permissions) });
  });
});

test('cargo lambda build supports the documented options', () => {
  const { stdout } = run(cargoLambda, ['lambda', 'build', '--help']);
  const options = command('cargo lambda build').filter((word) => word.startsWith('--'));
  assert.deepEqual(options, ['--release', '--arm64', '--output-format']);
  for (const option of options) assert.match(stdout, new RegExp(`${option}\\b`));
});

describe('cargo lambda deploy', () => {
  test('cargo lambda deploy creates the function, its URL and its log group', async () => {
    // Progress messages precede the result.
    const { function_url: printed } = JSON.parse(deploy(variables).stdout.match(/^\{[^]*/m)[0]);
    const { Configuration } = await about('/2015-03-31/functions/roomkey');
    const { Runtime, Handler, MemorySize, Timeout, TracingConfig, Role, Architectures } = Configuration;
    assert.deepEqual([Runtime, Handler, MemorySize, Timeout, TracingConfig.Mode], ['provided.al2023', 'bootstrap', 256, 10, 'Active']);
    assert.equal(Role, 'arn:aws:iam::123456789012:role/roomkey');
    assert.deepEqual(Architectures, [process.arch === 'arm64' ? 'arm64' : 'x86_64']);

    const { FunctionUrl, AuthType, Cors } = await about('/2021-10-31/functions/roomkey/url');
    assert.deepEqual([FunctionUrl, AuthType, Cors ?? null], [printed, 'NONE', null]);
    const { logGroups } = await ask('logs', '/', {
      method: 'POST', headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.DescribeLogGroups' }, body: '{}',
    });
    assert.deepEqual(logGroups.map(({ logGroupName, retentionInDays }) => [logGroupName, retentionInDays]), [['/aws/lambda/roomkey', 30]]);
  });

  test('deployed function has exactly the documented variables', async () => {
    const { Configuration } = await about('/2015-03-31/functions/roomkey');
    const printed = Object.fromEntries(variables.trim().split('\n').map((line) => line.match(/^(\w+)="(.*)"$/).slice(1)));
    assert.deepEqual(Configuration.Environment.Variables, printed);
    const known = new Set([...readFileSync(`${repository}docs/configuration.md`, 'utf8').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(([, name]) => name));
    for (const name of Object.keys(printed)) assert.ok(known.has(name), name);
  });

  test('function is public through its URL only', async () => {
    const { Statement } = JSON.parse((await about('/2015-03-31/functions/roomkey/policy')).Policy);
    assert.deepEqual(Statement.map(({ Sid, Resource, ...rest }) => rest).sort((a, b) => a.Action.localeCompare(b.Action)), [
      { Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true },
      { Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' },
    ]);
  });

  test('deployed archive contains the executable release binary', async () => {
    const { Configuration } = await about('/2015-03-31/functions/roomkey');
    assert.equal(Configuration.CodeSha256, createHash('sha256').update(readFileSync(archive)).digest('base64'));
    const listing = 'import json, sys, zipfile; from hashlib import sha256; file = zipfile.ZipFile(sys.argv[1]); '
      + 'print(json.dumps([[i.filename, oct(i.external_attr >> 16), sha256(file.read(i)).hexdigest()] for i in file.infolist()]))';
    const { stdout } = run(`${work}/venv/bin/python`, ['-c', listing, archive]);
    assert.deepEqual(JSON.parse(stdout), [['bootstrap', '0o100755', createHash('sha256').update(readFileSync(bootstrap)).digest('hex')]]);
  });

  test('second deployment changes the variables, and the function answers 201 with CORS headers', async () => {
    const { TokenFunction: local } = JSON.parse(readFileSync(`${repository}events/env.json`, 'utf8'));
    deploy(Object.entries(local).map(([name, value]) => `${name}='${value}'\n`).join(''));
    const { Configuration: { Environment } } = await about('/2015-03-31/functions/roomkey');
    assert.deepEqual(Environment.Variables, local);

    const lambda = await startFunction(Environment.Variables);
    try {
      const event = JSON.parse(readFileSync(`${repository}events/201-function-url.json`, 'utf8'));
      const answer = await lambda.invoke(event);
      assert.equal(answer.status, 201, lambda.log());
      assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example');
      await judgeAnswer(answer.json, {
        server: local.LIVEKIT_URL, key: local.LIVEKIT_API_KEY, secret: local.LIVEKIT_API_SECRET, identity: 'ada@example.com', name: 'Ada Lovelace', room: 'standup',
      });
    } finally {
      await lambda.stop();
    }
  });
});
