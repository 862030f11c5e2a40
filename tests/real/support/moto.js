// A stand-in for AWS Secrets Manager and DynamoDB with their protocols: moto as a server.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { eventually, freePort, listening, start, work } from './processes.js';

/**
 * Starts moto. `ask('CreateSecret', {...})` performs an operator's call to Secrets Manager, and `table('GetItem', {...})`
 * one to DynamoDB. The function reaches it through a counter: `reads` contains the answered requests.
 */
export async function startMoto() {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const program = start(`${work}/venv/bin/moto_server`, ['-H', '127.0.0.1', '-p', String(port)]);
  await eventually('moto listens', () => listening(port), 30);

  const call = async (service, target, action, input) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `${target}.${action}`,
        // moto reads the service from the credential scope and does not check the signature.
        authorization: `AWS4-HMAC-SHA256 Credential=operator/20260101/us-east-1/${service}/aws4_request, `
          + 'SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${action}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  const ask = (action, input) => call('secretsmanager', 'secretsmanager', action, {
    ...input, ...(/Create|Put/.test(action) && { ClientRequestToken: crypto.randomUUID() }),
  });
  const table = (action, input) => call('dynamodb', 'DynamoDB_20120810', action, input);

  const reads = [];
  const counter = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { host, connection, ...headers } = request.headers;
    const answer = await fetch(url, { method: request.method, headers, body });
    const bytes = Buffer.from(await answer.arrayBuffer());
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') }).end(bytes, () => {
      reads.push({ action: request.headers['x-amz-target'], input: JSON.parse(body), status: answer.status });
    });
  }).listen(0, '127.0.0.1');
  await once(counter, 'listening');

  return {
    ask,
    table,
    reads,
    url,
    /** Creates a table as the template does. Returns the variables with which the function finds it. */
    createTable: async (name) => {
      const keys = ['room', 'who'];
      await table('CreateTable', {
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
        KeySchema: keys.map((AttributeName, place) => ({ AttributeName, KeyType: ['HASH', 'RANGE'][place] })),
      });
      return {
        STATE_TABLE: name,
        AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${counter.address().port}`,
        AWS_ACCESS_KEY_ID: 'testing',
        AWS_SECRET_ACCESS_KEY: 'testing',
        AWS_SESSION_TOKEN: 'testing',
      };
    },
    stop: async () => {
      counter.closeAllConnections();
      counter.close();
      await program.stop();
    },
    /** Variables with which the function finds moto. */
    env: {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${counter.address().port}`,
      AWS_ACCESS_KEY_ID: 'testing',
      AWS_SECRET_ACCESS_KEY: 'testing',
      AWS_SESSION_TOKEN: 'testing',
    },
  };
}
