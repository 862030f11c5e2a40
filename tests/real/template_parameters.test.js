// The parameters of template.yaml: rejected combinations with their messages, and the use of accepted values.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { repository } from './support/processes.js';
import { refusals, stack, text, transform, unfit, withDefaults } from './support/template.js';
import { ARN, DOMAIN, ISSUER, NEW_SECRET, OLD_SECRET, combinations } from './support/template_cases.js';

const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
const [{ source, transformed: template }] = transform([{ template: text, parameters: {} }]);
const refused = (given) => refusals(template, withDefaults(template, given));
const NEW = { ...ISSUER, ...NEW_SECRET };
const OLD = { ...ISSUER, ...OLD_SECRET };

describe('rules', () => {
  const NO_ISSUER = /^OidcIssuer is empty/;
  const NO_AUDIENCE = /^OidcAudience and OidcAuthorizedParties are both empty/;
  const BOTH_AUDIENCES = /^OidcAudience and OidcAuthorizedParties are both set/;
  const SHARED_AND_KEYS = /requires a shared secret, and OidcJwksUri is set/;
  const SHARED_IN_NEW = /does not contain OIDC_HS256_SECRET/;
  const COOKIE_FROM_ANYWHERE = /^SessionCookie is set and AllowedOrigins is \*/;
  const TWO_SECRETS = /^LiveKitSecretArn names an existing secret/;
  const NO_KEYS = /^The LiveKit keys are missing/;
  const NO_URL = /^LiveKitUrl is empty/;
  const NO_CERTIFICATE = /^DomainName is set without CertificateArn/;
  const NO_DOMAIN = /^CertificateArn, HostedZoneId or BasePath is set without DomainName/;
  const NO_ALARMS = /^AlarmTopicArn is set and Alarms is false/;

  /** Name of a deployment, its parameters, and the messages that it is rejected with. */
  const rows = [
    ['a new secret', NEW, []],
    ['an existing secret', OLD, []],
    ['an existing secret with a separate URL', { ...OLD, LiveKitUrl: 'wss://livekit.example' }, []],
    ['all defaults', {}, [NO_ISSUER, NO_AUDIENCE, NO_KEYS, NO_URL]],
    ['the built-in policy without an issuer', { ...OLD, OidcIssuer: '' }, [NO_ISSUER]],
    ['a custom policy without an issuer', { ...OLD, OidcIssuer: '', Policy: 'allow = []' }, [NO_ISSUER]],
    ['no audience and no authorized party', { ...OLD, OidcAudience: '' }, [NO_AUDIENCE]],
    ['no audience for a provider without a substitute', { ...OLD, OidcAudience: '', OidcProvider: 'clerk' }, [NO_AUDIENCE]],
    ['no audience for Firebase, which has a default', { ...OLD, OidcAudience: '', OidcProvider: 'firebase' }, []],
    ['no audience for Supabase, which has a default', { ...OLD, OidcAudience: '', OidcProvider: 'supabase' }, []],
    ['no audience for WorkOS, which has a default', { ...OLD, OidcAudience: '', OidcProvider: 'workos' }, []],
    ['an authorized party only', { ...OLD, OidcAudience: '', OidcAuthorizedParties: 'web' }, []],
    ['an audience and an authorized party', { ...OLD, OidcAuthorizedParties: 'web' }, []],
    ['an audience and an authorized party for Cognito', { ...OLD, OidcAuthorizedParties: 'web', OidcProvider: 'cognito' }, [BOTH_AUDIENCES]],
    ['an audience for Cognito', { ...OLD, OidcProvider: 'cognito' }, []],
    ['an authorized party for Cognito', { ...OLD, OidcAudience: '', OidcAuthorizedParties: 'web', OidcProvider: 'cognito' }, []],
    ['a shared secret', { ...OLD, OidcAlgorithms: 'HS256' }, []],
    ['a shared secret and a key set URL', { ...OLD, OidcAlgorithms: 'HS256', OidcJwksUri: 'https://idp.example/keys' }, [SHARED_AND_KEYS]],
    ['a shared secret with a new secret that lacks it', { ...NEW, OidcAlgorithms: 'HS256' }, [SHARED_IN_NEW]],
    ['a key set URL and an algorithm', { ...NEW, OidcAlgorithms: 'ES256', OidcJwksUri: 'https://idp.example/keys' }, []],
    ['any origin', { ...OLD, AllowedOrigins: '*' }, []],
    ['a session cookie from listed origins', { ...OLD, SessionCookie: '__session' }, []],
    ['a session cookie from any origin', { ...OLD, SessionCookie: '__session', AllowedOrigins: '*' }, [COOKIE_FROM_ANYWHERE]],
    ['an existing secret and an API key', { ...OLD, LiveKitApiKey: 'APIkey' }, [TWO_SECRETS]],
    ['an existing secret and an API secret', { ...OLD, LiveKitApiSecret: 's'.repeat(32) }, [TWO_SECRETS]],
    ['an existing secret and a new one', { ...NEW, ...OLD_SECRET }, [TWO_SECRETS]],
    ['no secret', { ...ISSUER, LiveKitUrl: 'wss://livekit.example' }, [NO_KEYS]],
    ['a key without its secret', { ...NEW, LiveKitApiSecret: '' }, [NO_KEYS]],
    ['a secret without its key', { ...NEW, LiveKitApiKey: '' }, [NO_KEYS]],
    ['a new secret without a URL', { ...NEW, LiveKitUrl: '' }, [NO_URL]],
    ['a domain', { ...OLD, ...DOMAIN }, []],
    ['a domain with all its parameters', { ...OLD, ...DOMAIN, HostedZoneId: 'Z123', BasePath: 'meet' }, []],
    ['a domain without a certificate', { ...OLD, DomainName: 'api.example.com' }, [NO_CERTIFICATE]],
    ['a domain and a zone without a certificate', { ...OLD, DomainName: 'api.example.com', HostedZoneId: 'Z123' }, [NO_CERTIFICATE]],
    ['a certificate only', { ...OLD, CertificateArn: ARN.certificate }, [NO_DOMAIN]],
    ['a zone only', { ...OLD, HostedZoneId: 'Z123' }, [NO_DOMAIN]],
    ['a base path only', { ...OLD, BasePath: 'meet' }, [NO_DOMAIN]],
    ['a topic', { ...OLD, AlarmTopicArn: ARN.topic }, []],
    ['no alarms', { ...OLD, Alarms: 'false' }, []],
    ['a topic without alarms', { ...OLD, AlarmTopicArn: ARN.topic, Alarms: 'false' }, [NO_ALARMS]],
    ['a KMS key for a new secret', { ...NEW, KmsKeyArn: ARN.key }, []],
    ['a KMS key for an existing secret', { ...OLD, KmsKeyArn: ARN.key }, []],
  ];
  for (const [name, given, sentences] of rows) {
    test(`deployment with ${name} is ${sentences.length === 0 ? 'accepted' : 'rejected'}`, () => {
      const said = refused(given);
      assert.equal(said.length, sentences.length, said.join('\n'));
      for (const sentence of sentences) assert.ok(said.some((one) => sentence.test(one)), `${sentence} is not among ${said}`);
      // Each parameter is valid by itself, so only the rules can reject the deployment.
      assert.deepEqual(unfit(template, withDefaults(template, { ...given, AllowedOrigins: given.AllowedOrigins ?? '*' })), []);
    });
  }
  test('rules accept every combination of the choices', () => {
    for (const given of combinations) assert.deepEqual(refused(given), [], JSON.stringify(given));
  });
  test('every assertion rejects a row above and has a message of sentences', () => {
    const all = Object.values(template.Rules).flatMap(({ Assertions }) => Assertions.map(({ AssertDescription }) => AssertDescription));
    for (const one of all) assert.match(one, /^[A-Z][^\n]+[a-z*\d_A-Z]\.$/);
    assert.deepEqual(new Set(rows.flatMap(([, given]) => refused(given))), new Set(all));
  });
  test('rule evaluation fails on functions that CloudFormation does not accept in rules', () => {
    const judged = (Assert) => refusals({ ...template, Rules: { Odd: { Assertions: [{ Assert }] } } }, {});
    assert.throws(() => judged({ 'Fn::Equals': [{ Ref: 'Nobody' }, ''] }), /no parameter/);
    assert.throws(() => judged({ Condition: 'HasDomain' }), /no function here/);
    assert.throws(() => judged({ 'Fn::Matches': ['a', 'b'] }), /no function here/);
  });
});

describe('single parameters', () => {
  const rows = {
    OidcIssuer: { good: ['', 'https://idp.example/', 'app=https://a.example,staff=https://b.example'], bad: ['http://idp.example', 'idp.example', 'https://a b'] },
    OidcProvider: { good: ['', 'clerk'], bad: ['Clerk', 'other'] },
    OidcJwksUri: { good: ['', 'https://idp.example/keys'], bad: ['http://idp.example/keys'] },
    OidcAlgorithms: { good: ['', 'HS256', 'RS256,ES256'], bad: ['RS256; ES256'] },
    AllowedOrigins: {
      good: ['*', 'https://a.example', 'http://localhost:5173', 'https://a.example,https://b.example:8443', 'http://[::1]:3000',
        'capacitor://localhost', 'https://a.example,chrome-extension://abcdefghijklmnop', 'com.example.app://'],
      bad: ['https://A.example', 'HTTPS://a.example', 'Com.example://localhost', 'capacitor://localhost/', 'null', undefined, '', 'a.example', 'https://a.example/', 'https://a.example, https://b.example', 'https://*.a.example', '*,https://a.example', 'https://a.example,'],
    },
    AllowedHeaders: { good: ['', 'baggage', 'baggage,sentry-trace,traceparent'], bad: ['*', 'a b', 'baggage, traceparent', 'a:b', 'baggage,'] },
    SessionCookie: { good: ['', '__session'], bad: ['a b', 'a=b', 'a;'] },
    LiveKitUrl: { good: ['', 'wss://livekit.example', 'ws://10.0.0.7:7880'], bad: ['https://livekit.example'] },
    LiveKitSecretArn: {
      good: ['', ARN.secret, 'arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:team/livekit-AbCdEf'],
      // The second lacks the suffix, so the role would not match it. The third matches other secrets as well.
      bad: ['livekit', 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:livekit', ARN.secret.replace('livekit', '*')],
    },
    LiveKitApiKey: { good: ['', 'APIabc'], bad: ['API"abc', 'API\\abc', 'API abc'] },
    LiveKitApiSecret: { good: ['', 's'.repeat(32), 'a+/='.repeat(11)], bad: ['s'.repeat(31), `${'s'.repeat(32)}"`, `${'s'.repeat(32)}\\`] },
    KmsKeyArn: {
      good: ['', ARN.key, 'arn:aws:kms:us-east-1:123456789012:key/mrk-0123456789abcdef'],
      bad: ['alias/livekit', 'arn:aws:kms:eu-central-1:123456789012:alias/livekit', 'arn:aws:kms:eu-central-1:123456789012:key/*'],
    },
    ProfileSource: { good: ['', 'claims,userinfo'], bad: ['claims userinfo'] },
    ParticipantIdentity: { good: ['email', 'sub'], bad: ['', 'name'] },
    RequireVerifiedEmail: { good: ['', 'true', 'false'], bad: ['no', 'TRUE'] },
    Policy: { good: ['', 'x'.repeat(2048)], bad: ['x'.repeat(2049)] },
    ClientFields: { good: ['', 'room_name,room_config'], bad: ['room_name, room_config'] },
    State: { good: ['true', 'false'], bad: ['', 'memory', 'TRUE'] },
    TokenTtlSeconds: { good: ['61', '86400'], bad: ['60', '86401'] },
    DomainName: { good: ['', 'api.example.com'], bad: ['API.example.com', 'https://api.example.com', 'api'] },
    CertificateArn: { good: ['', ARN.certificate], bad: ['certificate/1'] },
    HostedZoneId: { good: ['', 'Z0123456789ABC'], bad: ['/hostedzone/Z1'] },
    BasePath: { good: ['', 'meet', 'rooms/v1'], bad: ['/meet', 'meet/', 'a//b'] },
    MemorySize: { good: ['128', '10240'], bad: ['127', '10241'] },
    ReservedConcurrency: { good: ['', '0', '20'], bad: ['-1', 'many'] },
    ThrottlingRate: { good: ['1', '10000'], bad: ['0'] },
    AlarmTopicArn: { good: ['', ARN.topic], bad: ['on-call'] },
  };
  for (const [name, { good, bad }] of Object.entries(rows)) {
    test(`${name} accepts valid values only`, () => {
      const refuses = (value) => unfit(template, { ...withDefaults(template, OLD), [name]: value }).includes(name);
      for (const value of good) assert.ok(!refuses(value), `${value} is valid`);
      for (const value of bad) assert.ok(refuses(value), `${value} is invalid`);
    });
  }
  test('every parameter has a description, a label and one group, and every pattern has a message', () => {
    const { ParameterGroups, ParameterLabels } = source.Metadata['AWS::CloudFormation::Interface'];
    const names = Object.keys(source.Parameters).sort();
    assert.deepEqual(ParameterGroups.flatMap(({ Parameters }) => Parameters).sort(), names);
    assert.deepEqual(Object.keys(ParameterLabels).sort(), names);
    for (const [name, { Description, AllowedPattern, ConstraintDescription }] of Object.entries(source.Parameters)) {
      assert.match(Description, /^.+\.$|; or \* for any\.$/, name);
      assert.equal(AllowedPattern !== undefined, ConstraintDescription !== undefined, name);
    }
  });
});

describe('variables', () => {
  const declared = Object.keys(source.Resources.TokenFunction.Properties.Environment.Variables);

  test('template declares the variables of docs/configuration.md and no others', () => {
    const documented = [...read('docs/configuration.md').matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(([, name]) => name);
    assert.ok(documented.length > 30);
    assert.deepEqual(declared.toSorted(), documented.sort());
  });
  test('secret values are never set as variables', () => {
    const { Variables } = source.Resources.TokenFunction.Properties.Environment;
    for (const name of ['LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET', 'CLERK_SECRET_KEY', 'WORKOS_API_KEY', 'OIDC_HS256_SECRET', 'BACKEND_API_KEYS', 'LIVEBLOCKS_SECRET_KEY']) {
      assert.equal(Variables[name], '', name);
    }
  });
  test('longest policy leaves enough space for the other variables', () => {
    const long = (length) => 'x'.repeat(length);
    const given = {
      ...OLD, Policy: long(2048), OidcIssuer: `https://${long(92)}`, OidcAudience: long(100), OidcAuthorizedParties: long(100),
      OidcJwksUri: `https://${long(92)}`, AllowedOrigins: `https://${long(192)}`, LiveKitUrl: `wss://${long(94)}`, EmailClaim: long(50),
      NameClaim: long(50), ClientFields: long(80), SessionCookie: long(20),
    };
    const { resources } = stack(template, withDefaults(template, given));
    const size = Object.entries(resources.TokenFunction.Environment.Variables).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
    assert.ok(size > 3000 && size < 4096, `${size} bytes`);
  });
  test('providers and the audience rule match the presets in the code', () => {
    const folder = `${repository}src/oidc/providers`;
    const rows = readdirSync(folder).flatMap((file) => readFileSync(`${folder}/${file}`, 'utf8').split('#[cfg(test)]')[0]
      .split(/^pub(?:\(super\))? const [A-Z0-9_]+: Provider = Provider \{$/m).slice(1));
    const providers = rows.map((row) => ({
      name: row.match(/^ {4}name: "([\w-]+)"/m)[1], hasSubstitute: /^ {4}audience: &\[[^\]]/m.test(row),
    }));
    const tried = read('src/oidc/providers.rs').match(/PROVIDERS: .*?\n\];/s)[0].match(/^ {4}&.*,$/gm);
    assert.equal(providers.length, tried.length, 'every preset');
    assert.deepEqual(source.Parameters.OidcProvider.AllowedValues.toSorted(), ['', ...providers.map(({ name }) => name)].sort());
    for (const { name, hasSubstitute } of providers) {
      assert.equal(refused({ ...OLD, OidcAudience: '', OidcProvider: name }).length, hasSubstitute ? 0 : 1, name);
    }
  });
});
