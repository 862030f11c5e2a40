// Better Auth as a server, with its JWT plugin: sign-up by email and password, and the tokens of /api/auth/token.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const PASSWORD = 'Correct-horse-9';

/** Starts the server. `algorithm` is the signature algorithm of its tokens, and `jwtOptions` are further options of the plugin. */
export async function startBetterAuth({ algorithm = 'EdDSA', jwtOptions = {} } = {}) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  const tables = { user: [], session: [], account: [], verification: [], jwks: [] };
  const auth = betterAuth({
    baseURL: url,
    secret: 'a secret for the cookies of this server alone',
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwt({ jwks: { keyPairConfig: { alg: algorithm } }, ...jwtOptions })],
  });
  const handle = toNodeHandler(auth);
  const seen = [];
  server.on('request', (request, response) => {
    seen.push(request.url);
    handle(request, response);
  });

  const post = async (path, body) => {
    const response = await fetch(`${url}/api/auth${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', origin: url }, body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  return {
    url,
    seen,
    /** Signs a person up, as `{ email, name, image, emailVerified }`, and returns the tokens of the session. */
    signUp: async ({ emailVerified = true, ...person }) => {
      const response = await post('/sign-up/email', { password: PASSWORD, ...person });
      // The link in the confirmation email does the same.
      tables.user.find(({ email }) => email === person.email).emailVerified = emailVerified;
      const cookie = response.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ');
      const answer = await fetch(`${url}/api/auth/token`, { headers: { cookie } });
      const { token } = await answer.json();
      return { token, session: decodeURIComponent(cookie.match(/session_token=([^;]*)/)[1]) };
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
