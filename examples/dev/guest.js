// The page of a guest, who has an invitation and no account.
import { claimsOf } from "./invitations.js";
import { whileJoining } from "./joining.js";
import { showTrouble } from "./trouble.js";

const ENDPOINT = `${location.origin}/token`;
const $ = (id) => document.getElementById(id);

/** The invitation, from the fragment of the link. */
const invitation = location.hash.slice(1);

/** Texts for guests, by the code of the problem. Other problems are shown with their own texts. */
const WORDS = {
  entry_denied: { title: "You were not let in", detail: "A host refused the request." },
  invitation_expired: { title: "This link has expired", detail: "Ask the host for another one." },
  invitation_revoked: { title: "This link is no longer valid", detail: "Ask the host for another one." },
  invitation_used_up: { title: "This link was used already", detail: "Ask the host for another one." },
  banned: { title: "You may not join this room again", detail: "A host excluded you." },
};

/**
 * Returns the secret that identifies this browser to roomkey. With it, a guest keeps identity and color after a reload.
 * It is created at the first visit and remains in this browser.
 */
function browserSecret() {
  const saved = localStorage.getItem("roomkey-guest");
  if (saved) return saved;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const secret = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem("roomkey-guest", secret);
  return secret;
}

/** Returns the tokens of this guest: those of `room.js`, with texts for guests. */
function guestTokens({ roomTokens }) {
  const tokens = roomTokens(ENDPOINT, async () => invitation, { "X-Roomkey-Guest": browserSecret() });
  const fetch = (options) => tokens.fetch(options).catch((error) => {
    if (error.why) error.why = { ...error.why, ...WORDS[error.why.code] };
    throw error;
  });
  return { ...tokens, fetch };
}

/** The claims of the invitation, which roomkey verifies later. */
function readInvitation() {
  try {
    return claimsOf(invitation);
  } catch {
    return undefined;
  }
}

const claims = readInvitation();
const modules = Promise.all([import("./room.js"), import("./meeting.js")]).catch(({ message }) => {
  showTrouble({ title: "LiveKit’s client library could not be loaded", detail: `Reload the page. Message of the browser: ${message}.` });
});
let tokens;

const joinRoom = () => whileJoining(async () => {
  const participantName = $("name").value.trim();
  const loaded = await modules;
  if (!loaded) return;
  const [room, { meet }] = loaded;
  tokens ??= guestTokens(room);
  const options = claims.name ? {} : { participantName };
  await meet({ tokens, options: { roomName: claims.room, ...options } });
});

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  joinRoom();
});
$("again").addEventListener("click", joinRoom);
$("leave").addEventListener("click", async () => (await modules)?.[1].leave());
// Another link in the same tab changes the fragment only.
addEventListener("hashchange", () => location.reload());

if (claims) {
  $("invited").textContent = `You are invited to the room “${claims.room}” until ${new Date(claims.exp * 1000).toLocaleString()}. No account is needed.`;
  $("name").value = claims.name ?? "";
  $("name").readOnly = Boolean(claims.name);
  $("name-hint").textContent = claims.name ? "The invitation is for this name." : "Everyone in the room sees it.";
} else {
  showTrouble({ title: "The link has no invitation", detail: "Copy the whole link, or ask the host for another one." });
  $("join").disabled = true;
}
