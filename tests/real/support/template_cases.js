// Example parameters of deployments.
export const ARN = {
  secret: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:livekit-AbCdEf',
  key: 'arn:aws:kms:eu-central-1:123456789012:key/0d990263-018e-4e65-a703-eff731de951e',
  topic: 'arn:aws:sns:eu-central-1:123456789012:on-call',
  certificate: 'arn:aws:acm:eu-central-1:123456789012:certificate/0d990263-018e-4e65-a703-eff731de951e',
};
export const ISSUER = { OidcIssuer: 'https://idp.example', OidcAudience: 'roomkey', AllowedOrigins: 'https://app.example' };
export const NEW_SECRET = { LiveKitUrl: 'wss://livekit.example', LiveKitApiKey: 'APIkey', LiveKitApiSecret: 's'.repeat(32) };
export const OLD_SECRET = { LiveKitSecretArn: ARN.secret };
export const DOMAIN = { DomainName: 'api.example.com', CertificateArn: ARN.certificate };

/** Alternatives of a deployment. */
const CHOICES = [
  [NEW_SECRET, OLD_SECRET],
  [{}, { KmsKeyArn: ARN.key }],
  [{}, { Tracing: 'PassThrough' }],
  [{}, DOMAIN, { ...DOMAIN, HostedZoneId: 'Z123' }, { ...DOMAIN, BasePath: 'rooms/v1' }],
  [{}, { Alarms: 'false' }, { AlarmTopicArn: ARN.topic }],
  [{}, { Dashboard: 'false' }],
  [{}, { SessionCookie: '__session' }],
  [{}, { ReservedConcurrency: '20' }],
  [{}, { State: 'true' }],
];

/** Every combination of the alternatives. */
export const combinations = CHOICES.reduce((all, choice) => all.flatMap((one) => choice.map((more) => ({ ...one, ...more }))), [ISSUER]);
