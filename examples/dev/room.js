// Joins a LiveKit room with tokens from roomkey, and says in words what went wrong. To be copied: it needs
// `livekit-client` and nothing else of this page.
import { ConnectionErrorReason, DisconnectReason, TokenSource } from "livekit-client";

/**
 * Where the tokens of one person come from; someone else who signs in needs their own. `accessToken` asks
 * your identity provider's SDK, which also renews: `() => auth.getAccessToken()`.
 */
export function roomTokens(endpoint, accessToken) {
  let bearer;
  let afresh = false;
  const source = TokenSource.endpoint(endpoint, {
    // A getter in a plain object: each fetch sends the access token of that moment.
    headers: { get Authorization() { return `Bearer ${bearer}`; } },
  });
  return {
    /** `{ serverUrl, participantToken }`: a new token, or the last one while it is good for these options. */
    async fetch(options) {
      // After a failure the client would answer with the token before, for that one's room.
      const force = afresh;
      afresh = true;
      bearer = await accessToken().catch((error) => {
        throw new JoinError({ title: "Signing in failed", detail: `${error.message}.` }, error);
      });
      const details = await source.fetch(options, force).catch((error) => {
        throw new JoinError(whyNoToken(error, endpoint), error);
      });
      afresh = false;
      return details;
    },
    /** Makes the next fetch ask the endpoint: the last token got nobody in, or its holder was put out. */
    forget() { afresh = true; },
    /** The identity in the last token. */
    identity: () => source.getCachedResponseJwtPayload()?.sub,
  };
}

/**
 * Asks for a token and connects `room`. Resolves to the token's details, or to nothing where
 * `room.disconnect()` gave up meanwhile; else throws a `JoinError`.
 */
export async function join(room, tokens, options) {
  const details = await tokens.fetch(options);
  try {
    await room.connect(details.serverUrl, details.participantToken);
  } catch (error) {
    tokens.forget();
    if (error.reason === ConnectionErrorReason.Cancelled) return undefined;
    throw new JoinError(whyNoConnection(error, details.serverUrl), error);
  }
  return details;
}

/**
 * `options` for a tab or device that joins beside the person's others, instead of ending their connection.
 * Their own identity is roomkey's to give, so a first token says it.
 */
export async function asOwnDevice(tokens, options, device) {
  await tokens.fetch(options);
  return { ...options, participantIdentity: `${tokens.identity()}:${device}` };
}

/** The numbers of LiveKit's protocol for what can be published. */
const SOURCE_NUMBERS = { camera: 1, microphone: 2, screen_share: 3, screen_share_audio: 4 };

/** Whether the token lets `participant` publish `source`. The server refuses all the same what it does not. */
export function mayPublish({ permissions }, source) {
  if (!permissions?.canPublish) return false;
  // No list at all stands for every source.
  const { canPublishSources: sources } = permissions;
  return sources.length === 0 || sources.includes(SOURCE_NUMBERS[source]);
}

/** Why a join failed, for a person to read: `why` is `{ title, detail, code?, link?, command? }`. */
export class JoinError extends Error {
  constructor(why, cause) {
    super(`${why.title}. ${why.detail}`, { cause });
    this.why = why;
  }
}

/** livekit-client's error is "… received STATUS / BODY", and roomkey's body a problem document. */
function whyNoToken({ message }, endpoint) {
  const [, status, body] = /received (\d+) \/ (.*)/s.exec(message) ?? [];
  if (!status) return { title: "No answer from the token endpoint", detail: `${endpoint}: ${message}.` };
  try {
    const { title, detail, type: link, code } = JSON.parse(body);
    return { title, detail: detail ? `${detail}.` : "", link, code };
  } catch {
    return { title: `The token endpoint answered ${status}`, detail: "What it said is not from roomkey." };
  }
}

function whyNoConnection({ reason, message }, serverUrl) {
  switch (reason) {
    case ConnectionErrorReason.NotAllowed:
      return {
        title: "The LiveKit server refuses the token",
        detail: `${serverUrl} says: ${message}. Does it have the API key and secret that roomkey signs with, and is its clock right?`,
      };
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.Timeout:
    case ConnectionErrorReason.WebSocket:
      return onThisMachine(serverUrl) ? {
        title: "The LiveKit server is not running",
        detail: `No LiveKit server answers at ${serverUrl}.`,
        command: "livekit-server --dev",
        link: "https://docs.livekit.io/transport/self-hosting/local/",
      } : {
        title: "The LiveKit server cannot be reached",
        detail: `No LiveKit server answers at ${serverUrl}. Does it run, and does the network let you through?`,
      };
    default:
      return { title: "The LiveKit server did not let you in", detail: `${serverUrl}: ${message}.` };
  }
}

function onThisMachine(url) {
  return ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}

/** Why a connection has ended, likewise; nothing where this client ended it. `reason`: of `RoomEvent.Disconnected`. */
export function whyEnded(reason) {
  switch (reason) {
    case DisconnectReason.CLIENT_INITIATED:
      return undefined;
    case DisconnectReason.DUPLICATE_IDENTITY:
      return {
        title: "You joined from another tab or device",
        detail: "A room holds one connection per identity, and the newest stays. Where the token endpoint has PARTICIPANT_DEVICES=true, each device can have an identity of its own.",
      };
    case DisconnectReason.PARTICIPANT_REMOVED:
      return { title: "You were removed from the room", detail: "A moderator or a backend has put you out." };
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
      return { title: "The room was closed", detail: "Everyone in it was disconnected." };
    case DisconnectReason.SERVER_SHUTDOWN:
      return { title: "The LiveKit server is shutting down", detail: "You can join again when it runs." };
    default:
      return { title: "The connection was lost", detail: "It could not be restored." };
  }
}
