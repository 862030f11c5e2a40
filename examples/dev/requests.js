// Sends requests about a room and its participants to roomkey. You can copy this file: it requires no library.

/**
 * Creates the functions that send the requests of one person. `accessToken` calls your identity provider's SDK, as for
 * `roomTokens`. Each function resolves to `{ method, path, body, ok, status, statusText, answer }`. `answer` is the
 * parsed body, which is a problem document unless `ok`. Without a response, `failure` is a text about the cause.
 */
export function roomRequests(origin, accessToken) {
  async function send(method, path, body) {
    const request = { method, path, body };
    try {
      const headers = { Authorization: `Bearer ${await accessToken()}` };
      if (body) headers["Content-Type"] = "application/json";
      const response = await fetch(origin + path, { method, headers, body: body && JSON.stringify(body) });
      const { ok, status, statusText } = response;
      const text = await response.text();
      return { ...request, ok, status, statusText, answer: text ? JSON.parse(text) : undefined };
    } catch (error) {
      return { ...request, ok: false, failure: error.message };
    }
  }
  return {
    /** Raises or lowers the person's own hand. */
    setHand: (room, raised) => send("PUT", `${ofRoom(room)}/hand`, { raised }),
    participants: (room) => send("GET", `${ofRoom(room)}/participants`),
    setRole: (room, identity, role) => send("PUT", `${ofParticipant(room, identity)}/role`, { role }),
    /** Mutes the audio tracks of a participant, who can unmute them. */
    mute: (room, identity) => send("POST", `${ofParticipant(room, identity)}/mute`),
    /** Removes a participant, who can join again. */
    remove: (room, identity) => send("DELETE", ofParticipant(room, identity)),
    /** Removes a person and rejects them later, on all devices. Without `seconds`, the ban ends when it is deleted. */
    ban: (room, identity, { seconds, reason } = {}) => send("POST", ofBans(room), { identity, seconds, reason }),
    bans: (room) => send("GET", ofBans(room)),
    deleteBan: (room, identity) => send("DELETE", `${ofBans(room)}/${encodeURIComponent(identity)}`),
    /**
     * Creates an invitation for guests, which is valid for `seconds`. `name` is the guest's name, if guests do not choose
     * it. `lobby` is `true` or "until-host" for a waiting room.
     */
    invite: (room, { role, seconds, name, lobby }) => send("POST", ofInvitations(room), { role, seconds, name, lobby }),
    /** Revokes an invitation, by its claim `jti`. */
    revoke: (room, id) => send("DELETE", `${ofInvitations(room)}/${encodeURIComponent(id)}`),
    /** Lists the people who wait until a host admits them. */
    waiting: (room) => send("GET", ofWaiting(room)),
    decide: (room, identity, admit) => send("POST", `${ofWaiting(room)}/${encodeURIComponent(identity)}`, { admit }),
    /** Ends the call for all. */
    end: (room) => send("DELETE", ofRoom(room)),
  };
}

const ofRoom = (room) => `/v1/rooms/${encodeURIComponent(room)}`;
const ofParticipant = (room, identity) => `${ofRoom(room)}/participants/${encodeURIComponent(identity)}`;
const ofBans = (room) => `${ofRoom(room)}/bans`;
const ofInvitations = (room) => `${ofRoom(room)}/invitations`;
const ofWaiting = (room) => `${ofRoom(room)}/waiting`;

/** Returns a sentence about a request that failed. */
export function whyFailed({ failure, status, answer }) {
  if (failure) return `No response from roomkey: ${failure}.`;
  if (!answer?.title) return `The response with status ${status} is not from roomkey.`;
  return answer.detail ? `${answer.title}: ${answer.detail}.` : `${answer.title}.`;
}
