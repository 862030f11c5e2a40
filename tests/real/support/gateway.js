// A gateway for the function, similar to API Gateway: it converts requests to events, and responses to HTTP. It adds no
// headers, so CORS depends on the function only.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { FUNCTION_URL, event } from './lambda.js';

/**
 * Serves `lambda` on a loopback port, by default a free one, as an HTTP API, which decodes the path, or as a function URL. `seen` records
 * the requests. `files` are pages of the same origin: type and text by path.
 */
export async function startGateway(lambda, { isFunctionUrl = false, files = {}, port = 0 } = {}) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    // The path as sent, because a URL parser would resolve `%2E%2E`.
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
  }).listen(port, '127.0.0.1');
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
