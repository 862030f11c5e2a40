// The form of this page, and signing in at the identity provider of the example.
import { el } from "./element.js";
import { copy, showAnswer, showDetails, showNoAnswer, showRequest } from "./token.js";
import { showTrouble } from "./trouble.js";

const IDP = "http://127.0.0.1:3001";
const ENDPOINT = `${location.origin}/token`;
const $ = (id) => document.getElementById(id);

/** This tab, where it is to be a device of its own. */
const DEVICE = crypto.randomUUID().slice(0, 8);

/** Signing in: yours is your identity provider's SDK. */
async function signIn(person, expiresIn) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ person, expires_in: expiresIn });
  try {
    return (await (await fetch(`${IDP}/login`, { method: "POST", headers, body })).json()).access_token;
  } catch (error) {
    throw new Error(`No identity provider at ${IDP}. Is the example still running?`, { cause: error });
  }
}

/** What needs the library from the CDN. Without it there are still tokens to look at. */
const meeting = import("livekit-client").then(
  async () => ({ ...await import("./meeting.js"), ...await import("./room.js") }),
  (error) => ({ roomTokens: () => {}, meet: async () => showTrouble(whyNoLibrary(error)) }),
);

function whyNoLibrary({ message }) {
  return {
    title: "LiveKit’s client library could not be loaded",
    detail: `It comes from cdn.jsdelivr.net, and is refused if a byte of it differs from what this page expects. Without it you can still get tokens; to join, reload the page when that address can be reached. The browser says: ${message}.`,
  };
}

/** One source of tokens per person: it keeps the last token it got. */
const sources = new Map();

async function joinRoom() {
  const person = new FormData($("form")).get("person");
  const roomName = $("room-name").value;
  $("join").disabled = true;
  $("room").focus();
  try {
    const { meet, roomTokens } = await meeting;
    if (!sources.has(person)) sources.set(person, roomTokens(ENDPOINT, () => signIn(person)));
    await meet({
      tokens: sources.get(person),
      options: roomName ? { roomName } : {},
      device: $("own-device").checked ? DEVICE : undefined,
      showToken: showDetails,
    });
  } finally {
    $("join").disabled = false;
    // The button that ended it is gone; whoever has moved on meanwhile stays where they are.
    if ($("room").contains(document.activeElement) || document.activeElement === document.body) {
      ($("again").checkVisibility() ? $("again") : $("join")).focus();
    }
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter === $("get-token")) getToken();
  else joinRoom();
});
$("again").addEventListener("click", joinRoom);
$("leave").addEventListener("click", async () => (await meeting).leave());

/** A request, plain or with one fault. */
async function buildRequest(person, room, variant) {
  const accessToken = await signIn(person, variant === "expired" ? -60 : undefined);
  const headers = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
  const fields = room ? { room_name: room } : {};
  if (variant === "bare") delete headers.Authorization;
  if (variant === "impostor") fields.participant_identity = "someone.else@example.com";
  const body = variant === "broken" ? "{room_name: standup}" : JSON.stringify(fields);
  return { method: "POST", headers, body };
}

/** Asks for a token by hand, to show the answer as it came. */
async function getToken() {
  const person = new FormData($("form")).get("person");
  try {
    const request = await buildRequest(person, $("room-name").value, $("variant").value);
    const started = performance.now();
    const response = await fetch(ENDPOINT, request);
    const answer = await response.json();
    showAnswer(response, answer, performance.now() - started);
    showRequest(ENDPOINT, request);
  } catch (error) {
    showNoAnswer(error.message);
  }
  if (matchMedia("(max-width: 54rem)").matches) $("answer").scrollIntoView();
}

$("snippet").textContent = `import { Room, TokenSource } from "livekit-client";

// Yours: your identity provider's SDK, which also renews the token.
const login = await fetch("${IDP}/login", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ person: "ada" }),
});
let { access_token: accessToken } = await login.json();

const tokens = TokenSource.endpoint("${ENDPOINT}", {
  headers: {
    // A getter in a plain object: each fetch sends the token of that moment.
    get Authorization() { return \`Bearer \${accessToken}\`; },
  },
});

const { serverUrl, participantToken } = await tokens.fetch({ roomName: "standup" });
await new Room().connect(serverUrl, participantToken);`;
$("copy-snippet").onclick = (event) => copy(event, $("snippet").textContent);

try {
  const people = await (await fetch(`${IDP}/people`)).json();
  $("people").append(...people.map(({ id, label, outcome }, index) => {
    const radio = el("input", { type: "radio", name: "person", value: id });
    radio.checked = index === 0;
    return el("label", { class: "person" }, radio, el("span", {}, label, el("span", { class: "hint" }, outcome)));
  }));
} catch {
  $("people").append(el("p", { class: "bad" }, `No identity provider at ${IDP}. Is the example still running?`));
}
