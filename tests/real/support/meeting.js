// A LiveKit server, roomkey with its keys, and people who fetch a token and join.
import * as jose from 'jose';
import { AUDIENCE, newKey } from './issuer.js';
import { startFunction, tokenEvent } from './lambda.js';
import { startLiveKit } from './livekit_server.js';
import { startParticipants } from './participants.js';

const ISSUER = 'https://idp.example.com/realm';

/** Returns the claims of a signed-in person. */
export const person = (sub, claims = {}) => ({
  sub, email: `${sub}@example.com`, email_verified: true, name: sub[0].toUpperCase() + sub.slice(1), ...claims,
});

/**
 * Starts all three. `policy` is the text of POLICY, and `webhook` a URL for the server's events. The identity provider's keys are passed as JSON, so none runs. `ask`
 * returns roomkey's response, and `token` only the token. `join` fetches a token and joins its room, and `enter` joins
 * with an existing token. `present` lists the participants of a room, and `clear` lets all participants leave.
 */
export async function startMeeting({ policy, env = {}, webhook } = {}) {
  const key = await newKey('ES256');
  const { d, ...publicKey } = key;
  const [livekit, clients] = await Promise.all([startLiveKit({ webhook }), startParticipants()]);
  const running = [livekit, clients];

  /** Starts another function that signs for the same server. */
  const startRoomkey = async (more = {}) => {
    const lambda = await startFunction({
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.key,
      LIVEKIT_API_SECRET: livekit.secret,
      OIDC_ISSUER: ISSUER,
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_JWKS: JSON.stringify({ keys: [publicKey] }),
      PROFILE_SOURCE: 'claims',
      ...(policy && { POLICY: policy }),
      ...env,
      ...more,
    });
    running.push(lambda);
    return lambda;
  };
  const lambda = await startRoomkey();

  const bearer = async (caller, from = Math.floor(Date.now() / 1000)) => new jose.SignJWT(caller)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid })
    .setIssuer(ISSUER).setAudience(AUDIENCE).setIssuedAt(from).setExpirationTime(from + 300)
    .sign(await jose.importJWK(key));
  const ask = async (caller, body = {}) => lambda.invoke(tokenEvent(await bearer(caller), body));
  const token = async (caller, body) => {
    const answer = await ask(caller, body);
    if (answer.status !== 201) throw new Error(`roomkey: ${answer.status} ${answer.bytes}`);
    return answer.json.participant_token;
  };

  return {
    livekit,
    lambda,
    startRoomkey,
    bearer,
    ask,
    token,
    enter: (participantToken) => clients.join(livekit.url, participantToken),
    join: async (caller, body) => clients.join(livekit.url, await token(caller, body)),
    present: async (room) => (await livekit.rooms.listParticipants(room)).map(({ identity }) => identity).sort(),
    clear: clients.clear,
    stop: () => Promise.all(running.map((part) => part.stop())),
  };
}
