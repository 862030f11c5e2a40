// An HTTP front for the function, as API Gateway is one: it turns each request into an event and the
// answer back into HTTP. It adds no headers of its own, so CORS is the function's work alone.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { FUNCTION_URL, event } from './lambda.js';

/**
 * Serves `lambda` on a free loopback port, as an HTTP API, which decodes the path, or as a function URL. `seen` remembers
 * what the clients asked. `files` are pages of the same origin: type and text by path.
 */
export async function startGateway(lambda, { isFunctionUrl = false, files = {} } = {}) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    // As it was sent: a URL parser would take `%2E%2E` for a way up.
    const [path, query = ''] = request.url.split('?');
    if (path in files) {
      const [type, text] = files[path];
      response.setHeader('content-type', type).end(text);
      return;
    }
    seen.push({ method: request.method, path, headers: request.headers });
    try {
      const answer = await lambda.invoke(event({
        method: request.method,
        ...(isFunctionUrl ? { path, domain: FUNCTION_URL } : { path: decodeURIComponent(path) }),
        query,
        headers: request.headers,
        body: Buffer.concat(chunks),
      }));
      response.writeHead(answer.status, answer.headers).end(answer.bytes);
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
