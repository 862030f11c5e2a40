// An HTTP front for the function, as API Gateway is one: it turns each request into an event and the
// answer back into HTTP. It adds no headers of its own, so CORS is the function's work alone.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { event } from './lambda.js';

/** Serves `lambda` on a free loopback port. `seen` remembers what the clients asked. */
export async function startGateway(lambda) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname, search } = new URL(request.url, 'http://gateway');
    seen.push({ method: request.method, path: pathname, headers: request.headers });
    try {
      const answer = await lambda.invoke(event({
        method: request.method,
        path: pathname,
        query: search.slice(1),
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
