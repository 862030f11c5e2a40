// A Cognito user pool in moto, with tokens in the real format. The issuer is Cognito's own URL, and the keys are moto's.
import { eventually, freePort, listening, start, work } from './processes.js';

const REGION = 'eu-central-1';
const PASSWORD = 'Correct-horse-9';

export const PEOPLE = {
  alice: {
    email: 'alice@example.com', email_verified: 'true', name: 'Alice Ångström', picture: 'https://cdn.example.com/alice.png',
  },
  nora: { email: 'nora@example.com', email_verified: 'true' },
  mallory: { email: 'alice@example.com', email_verified: 'false', name: 'Mallory' },
  nomail: { name: 'No Mail' },
  parts: { email: 'parts@example.com', email_verified: 'true', given_name: 'Grace', family_name: 'Hopper' },
};

/** Starts moto with a pool of the people above, of whom `alice` is in the group `hosts`, and two clients, `frontend` and `other`. */
export async function startCognito() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = start(`${work}/venv/bin/moto_server`, ['-H', '127.0.0.1', '-p', String(port)]);
  await eventually('moto listens', () => listening(port), 30);

  const ask = async (action, input) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `AWSCognitoIdentityProviderService.${action}`,
        // moto reads the service from the credential scope and does not check the signature.
        authorization: `AWS4-HMAC-SHA256 Credential=operator/20260101/${REGION}/cognito-idp/aws4_request, `
          + 'SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${action}: ${response.status} ${text}`);
    return JSON.parse(text);
  };

  const { UserPool: { Id: pool } } = await ask('CreateUserPool', { PoolName: 'people' });
  const clients = {};
  for (const name of ['frontend', 'other']) {
    const { UserPoolClient } = await ask('CreateUserPoolClient', {
      UserPoolId: pool,
      ClientName: name,
      ExplicitAuthFlows: ['ALLOW_ADMIN_USER_PASSWORD_AUTH'],
      ReadAttributes: ['email', 'email_verified', 'name', 'given_name', 'family_name', 'picture'],
    });
    clients[name] = UserPoolClient.ClientId;
  }
  for (const [person, attributes] of Object.entries(PEOPLE)) {
    await ask('AdminCreateUser', {
      UserPoolId: pool,
      Username: person,
      MessageAction: 'SUPPRESS',
      UserAttributes: Object.entries(attributes).map(([Name, Value]) => ({ Name, Value })),
    });
    await ask('AdminSetUserPassword', { UserPoolId: pool, Username: person, Password: PASSWORD, Permanent: true });
  }

  await ask('CreateGroup', { UserPoolId: pool, GroupName: 'hosts' });
  await ask('AdminAddUserToGroup', { UserPoolId: pool, Username: 'alice', GroupName: 'hosts' });

  return {
    issuer: `https://cognito-idp.${REGION}.amazonaws.com/${pool}`,
    keys: `${url}/${pool}/.well-known/jwks.json`,
    clients,
    /** Returns the client's tokens for the person, `access` and `id`. */
    signIn: async (person, client = 'frontend') => {
      const { AuthenticationResult: answer } = await ask('AdminInitiateAuth', {
        UserPoolId: pool,
        ClientId: clients[client],
        AuthFlow: 'ADMIN_USER_PASSWORD_AUTH',
        AuthParameters: { USERNAME: person, PASSWORD },
      });
      return { access: answer.AccessToken, id: answer.IdToken };
    },
    stop: program.stop,
  };
}
