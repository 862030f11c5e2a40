// A stand-in for Liveblocks' API, based on its packages: the two calls that create tokens, with the secret key, and the
// socket of a room, with a token.
import { createServer } from 'node:http';
import { once } from 'node:events';
import * as jose from 'jose';
import { WebSocketServer } from 'ws';

export const SECRET_KEY = 'sk_test_a-key_that_opens_the_look-alike_alone';

/** `ServerMsgCode.ROOM_STATE`, and the close codes of the server (`@liveblocks/core`). */
const ROOM_STATE = 104;
const NOT_ALLOWED = 4001;

/** Fields of each call, and whether they are required (Liveblocks' REST API reference). */
const isText = (value) => typeof value === 'string' && value.length > 0;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isPermissions = (value) => isObject(value) && Object.keys(value).length <= 10 && Object.entries(value).every(
  ([pattern, scopes]) => /^([*]|[^*]{1,128}[*]?)$/.test(pattern) && Array.isArray(scopes) && scopes.length > 0 && scopes.every(isText),
);
const CALLS = {
  '/v2/identify-user': { userId: [isText, true], userInfo: [isObject], groupIds: [Array.isArray], organizationId: [isText] },
  '/v2/authorize-user': { userId: [isText, true], permissions: [isPermissions, true], userInfo: [isObject], organizationId: [isText] },
};

/** Returns the reason for rejecting a request, if there is one. */
function refusal({ method, path, headers, body }) {
  const fields = CALLS[path];
  if (!fields || method !== 'POST') return [404, 'NOT_FOUND'];
  if (headers.authorization !== `Bearer ${SECRET_KEY}`) return [401, 'INVALID_SECRET_KEY'];
  if (!/^application\/json(;|$)/.test(headers['content-type'])) return [415, 'NO_JSON'];
  if (!isObject(body)) return [400, 'NO_OBJECT'];
  for (const name of Object.keys(body)) if (!(name in fields)) return [422, `UNKNOWN ${name}`];
  for (const [name, [fits, isRequired]] of Object.entries(fields)) {
    if (name in body ? !fits(body[name]) : isRequired) return [422, `WRONG ${name}`];
  }
  return undefined;
}

/**
 * Starts the stand-in. `seen` records the calls and `entered` the rooms. `trouble.status` replaces the response with a
 * token. `greeting` is the first message of a room to the holder of a token, or undefined if the token does not allow it.
 */
export async function startLiveblocks() {
  const key = await jose.generateSecret('HS256');
  const seen = [];
  const entered = [];
  const trouble = {};
  let count = 0;

  const token = (body, kind) => {
    count += 1;
    const claims = { k: kind, pid: 'look-alike', uid: body.userId, ui: body.userInfo, ...(body.permissions && { perms: body.permissions }) };
    return new jose.SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime('1h').setJti(`${count}`).sign(key);
  };
  const greeting = async (raw, room) => {
    const { payload } = await jose.jwtVerify(raw, key);
    const opens = (pattern) => pattern === room || (pattern.endsWith('*') && room.startsWith(pattern.slice(0, -1)));
    const scopes = payload.k === 'id' ? ['*:write'] : Object.entries(payload.perms).find(([pattern]) => opens(pattern))?.[1];
    if (!scopes) return undefined;
    entered.push({ room, claims: payload });
    return JSON.stringify({ type: ROOM_STATE, actor: 1, nonce: 'n', scopes, users: {}, meta: {} });
  };

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const call = { method: request.method, path: request.url, headers: request.headers };
    try {
      call.body = JSON.parse(Buffer.concat(chunks));
    } catch {
      call.body = undefined;
    }
    seen.push(call);
    const [status, error] = trouble.status ? [trouble.status, 'TROUBLE'] : refusal(call) ?? [200];
    const answer = status === 200 ? { token: await token(call.body, call.body.permissions ? 'acc' : 'id') } : { error };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');

  const sockets = new WebSocketServer({ server, path: '/v8' });
  sockets.on('connection', async (socket, request) => {
    socket.on('message', (message) => { if (`${message}` === 'ping') socket.send('pong'); });
    const asked = new URL(request.url, 'http://look-alike').searchParams;
    const welcome = await greeting(asked.get('tok'), asked.get('roomId')).catch(() => undefined);
    if (welcome) socket.send(welcome);
    else socket.close(NOT_ALLOWED, 'not allowed');
  });
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    entered,
    trouble,
    greeting,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
