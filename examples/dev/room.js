// Joins a LiveKit room with tokens from roomkey, and explains errors to the user. You can copy this file: it requires
// only `livekit-client`.
import { ConnectionErrorReason, DisconnectReason, RoomEvent, TokenSource } from "livekit-client";

/**
 * Creates the token source of one person. Another person requires another source. `accessToken` calls your identity
 * provider's SDK, which also renews tokens: `() => auth.getAccessToken()`. `headers` are further constant headers.
 */
export function roomTokens(endpoint, accessToken, headers = {}) {
  let bearer;
  let bypassCache = false;
  const source = TokenSource.endpoint(endpoint, {
    // A getter in a plain object, so that each fetch sends the current access token.
    headers: { ...headers, get Authorization() { return `Bearer ${bearer}`; } },
  });
  return {
    /** Returns `{ serverUrl, participantToken }`: the last token if it is valid for these options, or a new one. */
    async fetch(options) {
      // After a failure, the client would return the previous token, which may be for another room.
      const force = bypassCache;
      bypassCache = true;
      bearer = await accessToken().catch((error) => {
        throw new JoinError({ title: "Signing in failed", detail: `${error.message}.` }, error);
      });
      const details = await source.fetch(options, force).catch((error) => {
        throw new JoinError(whyNoToken(error, endpoint), error);
      });
      bypassCache = false;
      return details;
    },
    /** Lets the next fetch bypass the cache, after a failed connection or a removal. */
    forget() { bypassCache = true; },
    /** Returns the identity in the last token. */
    identity: () => source.getCachedResponseJwtPayload()?.sub,
  };
}

/**
 * Fetches a token and connects `room`. Resolves to the details of the token, or to `undefined` if `room.disconnect()`
 * canceled it. Throws a `JoinError` otherwise.
 */
export async function join(room, tokens, options) {
  const details = await tokens.fetch(options);
  let isRemoved = false;
  room.once(RoomEvent.Disconnected, (reason) => { isRemoved = reason === DisconnectReason.PARTICIPANT_REMOVED; });
  try {
    await room.connect(details.serverUrl, details.participantToken);
  } catch (error) {
    tokens.forget();
    if (error.reason === ConnectionErrorReason.Cancelled) return undefined;
    // A banned person whose token is still valid is removed while the client connects.
    const why = isRemoved ? whyEnded(DisconnectReason.PARTICIPANT_REMOVED) : whyNoConnection(error, details.serverUrl);
    throw new JoinError(why, error);
  }
  return details;
}

/**
 * Returns `options` for a tab or device that joins without ending the connection of the person's other ones. The
 * identity of the person is read from a first token.
 */
export async function asOwnDevice(tokens, options, device) {
  await tokens.fetch(options);
  return { ...options, participantIdentity: `${tokens.identity()}:${device}` };
}

/** Numbers of track sources in LiveKit's protocol. */
const SOURCE_NUMBERS = { camera: 1, microphone: 2, screen_share: 3, screen_share_audio: 4 };

/** Returns whether the token allows `participant` to publish `source`. The server enforces it independently. */
export function mayPublish({ permissions }, source) {
  if (!permissions?.canPublish) return false;
  // An empty list allows every source.
  const { canPublishSources: sources } = permissions;
  return sources.length === 0 || sources.includes(SOURCE_NUMBERS[source]);
}

/** Error of a failed join. `why` explains it to the user: `{ title, detail, code?, link?, command? }`. */
export class JoinError extends Error {
  constructor(why, cause) {
    super(`${why.title}. ${why.detail}`, { cause });
    this.why = why;
  }
}

/** Explains livekit-client's error, "… received STATUS / BODY", in which the body is a problem document of roomkey. */
function whyNoToken({ message }, endpoint) {
  const [, status, body] = /received (\d+) \/ (.*)/s.exec(message) ?? [];
  if (!status) return { title: "No response from the token endpoint", detail: `${endpoint}: ${message}.` };
  try {
    const { title, detail, type: link, code } = JSON.parse(body);
    return { title, detail: detail ? `${detail}.` : "", link, code };
  } catch {
    return { title: `The token endpoint returned ${status}`, detail: "The response is not from roomkey." };
  }
}

function whyNoConnection({ reason, message }, serverUrl) {
  switch (reason) {
    case ConnectionErrorReason.NotAllowed:
      return {
        title: "The LiveKit server rejected the token",
        detail: `${serverUrl}: ${message}. Check that it has roomkey's API key and secret, and that its clock is correct.`,
      };
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.Timeout:
    case ConnectionErrorReason.WebSocket:
      return onThisMachine(serverUrl) ? {
        title: "The LiveKit server is not running",
        detail: `No LiveKit server responds at ${serverUrl}.`,
        command: "livekit-server --dev",
        link: "https://docs.livekit.io/transport/self-hosting/local/",
      } : {
        title: "The LiveKit server is unreachable",
        detail: `No LiveKit server responds at ${serverUrl}. Check that it is running and that the network allows the connection.`,
      };
    default:
      return { title: "The LiveKit server rejected the connection", detail: `${serverUrl}: ${message}.` };
  }
}

function onThisMachine(url) {
  return ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}

/** Explains the end of a connection, with the reason of `RoomEvent.Disconnected`. Returns `undefined` if this client ended it. */
export function whyEnded(reason) {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return undefined;
    case DisconnectReason.DUPLICATE_IDENTITY:
      return {
        title: "You joined from another tab or device",
        detail: "A room has one connection per identity, and a new one replaces it. With PARTICIPANT_DEVICES=true at the token endpoint, each device can have its own identity.",
      };
    case DisconnectReason.PARTICIPANT_REMOVED:
      return { title: "You were removed from the room", detail: "A moderator or a backend removed you." };
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return { title: "The room was closed", detail: "Everyone in it was disconnected." };
    case DisconnectReason.SERVER_SHUTDOWN:
      return { title: "The LiveKit server is shutting down", detail: "You can join again when it is running." };
    default:
      return { title: "The connection was lost", detail: "It could not be restored." };
  }
}
