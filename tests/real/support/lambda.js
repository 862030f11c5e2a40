// The release binary under AWS's Runtime Interface Emulator.
import { bootstrap, eventually, freePort, listening, start, work } from './processes.js';

const INVOKE = '/2015-03-31/functions/function/invocations';

/** Common variables of all functions. A suite adds its own, and the function has no others. */
const BASE = {
  PATH: process.env.PATH,
  AWS_LAMBDA_FUNCTION_NAME: 'function',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
  AWS_LAMBDA_FUNCTION_TIMEOUT: '10',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** LiveKit's development server and its keys. */
export const DEV_LIVEKIT = {
  LIVEKIT_URL: 'ws://127.0.0.1:7880',
  LIVEKIT_API_KEY: 'devkey',
  LIVEKIT_API_SECRET: 'secret',
};

/**
 * Starts the function. `invoke` sends one event at a time, because two at once make the emulator exit. It returns the
 * response as parsed by API Gateway. `executable` is a build other than the release binary.
 */
export async function startFunction(env, executable = bootstrap) {
  const [invokePort, runtimePort] = [await freePort(), await freePort()];
  const program = start(
    `${work}/aws-lambda-rie`,
    [
      '--log-level', 'error',
      '--runtime-interface-emulator-address', `127.0.0.1:${invokePort}`,
      '--runtime-api-address', `127.0.0.1:${runtimePort}`,
      executable,
    ],
    { env: { ...BASE, ...env } },
  );
  await eventually('the emulator listens', () => listening(invokePort));

  let last = Promise.resolve();
  const invoke = (event) => {
    const answer = last.then(async () => {
      const response = await fetch(`http://127.0.0.1:${invokePort}${INVOKE}`, {
        method: 'POST', body: JSON.stringify(event), signal: AbortSignal.timeout(20_000),
      });
      return unpack(await response.text());
    });
    last = answer.catch(() => {});
    return answer;
  };
  return { invoke, stop: program.stop, log: () => program.output };
}

/** Parses a response of the function like a gateway: header names in lower case, and a JSON body parsed. */
function unpack(text) {
  const { statusCode, headers = {}, body = '', isBase64Encoded } = JSON.parse(text);
  if (typeof statusCode !== 'number') throw new Error(`not an HTTP answer: ${text}`);
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  let json;
  try {
    json = JSON.parse(bytes);
  } catch {
    json = undefined;
  }
  return { status: statusCode, headers: lower, bytes, json };
}

/** Domain that identifies events of a function URL, which have the same form but an undecoded path. */
export const FUNCTION_URL = 'abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws';

/** Returns an event of an HTTP API (payload format 2.0). HTTP APIs decode the path. */
export function event({ method = 'POST', path = '/token', query = '', headers = {}, body = '', domain = 'api.example.com' } = {}) {
  const bytes = Buffer.from(body);
  const text = bytes.toString('utf8');
  const isBase64Encoded = !Buffer.from(text).equals(bytes);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers: { host: domain, 'x-forwarded-proto': 'https', ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'api',
      domainName: domain,
      domainPrefix: domain.split('.')[0],
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: headers['user-agent'] ?? 'suite' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: '$default',
      stage: '$default',
      time: '21/Nov/2026:12:00:00 +0000',
      timeEpoch: 1795262400000,
    },
    ...(bytes.length > 0 && { body: isBase64Encoded ? bytes.toString('base64') : text }),
    isBase64Encoded,
  };
}

/** Returns the event of a frontend's token request. */
export function tokenEvent(bearer, body = {}) {
  return event({
    headers: {
      'content-type': 'application/json',
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
    body: JSON.stringify(body),
  });
}
