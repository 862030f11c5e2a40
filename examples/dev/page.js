// The form of this page, and the sign-in at the identity provider of the example.
import { el } from "./element.js";
import { whileJoining } from "./joining.js";
import { roomRequests } from "./requests.js";
import { copy, showAnswer, showDetails, showNoAnswer, showRequest } from "./token.js";
import { showTrouble } from "./trouble.js";

const IDP = "http://127.0.0.1:3001";
const ENDPOINT = `${location.origin}/token`;
const $ = (id) => document.getElementById(id);

/** The name of this tab as a separate device. */
const DEVICE = crypto.randomUUID().slice(0, 8);

/** Signs in and returns an access token. Use your identity provider's SDK instead. */
async function signIn(person, expiresIn) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ person, expires_in: expiresIn });
  try {
    return (await (await fetch(`${IDP}/login`, { method: "POST", headers, body })).json()).access_token;
  } catch (error) {
    throw new Error(`No identity provider at ${IDP}. Is the example still running?`, { cause: error });
  }
}

/** The modules that require the library from the CDN. Without it, the page can still show tokens. */
const meeting = import("livekit-client").then(
  async () => ({ ...await import("./meeting.js"), ...await import("./room.js") }),
  (error) => ({ roomTokens: () => {}, meet: async () => showTrouble(whyNoLibrary(error)) }),
);

function whyNoLibrary({ message }) {
  return {
    title: "LiveKit’s client library could not be loaded",
    detail: `It is loaded from cdn.jsdelivr.net, and rejected if its hash differs from the one in this page. You can still get tokens. To join, reload the page when cdn.jsdelivr.net is reachable. Message of the browser: ${message}.`,
  };
}

/** Token sources by person. Each caches its last token. */
const sources = new Map();

const joinRoom = () => whileJoining(async () => {
  const person = new FormData($("form")).get("person");
  const roomName = $("room-name").value;
  const { meet, roomTokens } = await meeting;
  if (!sources.has(person)) sources.set(person, roomTokens(ENDPOINT, () => signIn(person)));
  await meet({
    tokens: sources.get(person),
    requests: roomRequests(location.origin, () => signIn(person)),
    options: roomName ? { roomName } : {},
    device: $("own-device").checked ? DEVICE : undefined,
    showToken: showDetails,
  });
});

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter === $("get-token")) getToken();
  else joinRoom();
});
$("again").addEventListener("click", joinRoom);
$("leave").addEventListener("click", async () => (await meeting).leave());

/** Returns a request, valid or with one fault. */
async function buildRequest(person, room, variant) {
  const accessToken = await signIn(person, variant === "expired" ? -60 : undefined);
  const headers = { Authorization: `Bearer ${accessToken}`, "Content-Type": "application/json" };
  const fields = room ? { room_name: room } : {};
  if (variant === "bare") delete headers.Authorization;
  if (variant === "impostor") fields.participant_identity = "someone.else@example.com";
  const body = variant === "broken" ? "{room_name: standup}" : JSON.stringify(fields);
  return { method: "POST", headers, body };
}

/** Requests a token without LiveKit's client, and shows the unchanged response. */
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

// Use your identity provider's SDK instead, which also renews the token.
const login = await fetch("${IDP}/login", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ person: "ada" }),
});
let { access_token: accessToken } = await login.json();

const tokens = TokenSource.endpoint("${ENDPOINT}", {
  headers: {
    // A getter in a plain object, so that each fetch sends the current token.
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
