// The cards "Response" and "Request", which show a token and its request.
import { initials, legibleOn, paint } from "./colors.js";
import { el } from "./element.js";

const $ = (id) => document.getElementById(id);

export function showRequest(endpoint, { method, headers, body }) {
  const code = (of) => `await fetch("${endpoint}", {\n  method: "${method}",\n  headers: {\n`
    + Object.entries(of).map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`).join("")
    + `  },\n  body: '${body.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}',\n});`;
  const short = { ...headers };
  if (short.Authorization) short.Authorization = `${short.Authorization.slice(0, 28)}…`;
  $("shortened").hidden = !short.Authorization;
  $("request").hidden = false;
  $("request-code").textContent = code(short);
  $("copy-request").onclick = (event) => copy(event, code(headers));
}

export function showAnswer(response, answer, milliseconds) {
  const { participant_token: token, server_url: server } = answer;
  show(response.ok ? "good" : "bad", `${response.status} ${response.statusText}`, ` in ${Math.round(milliseconds)} ms`,
    ...(token ? issued(token, server) : problem(answer)),
    el("h3", {}, "JSON"), json(answer),
    ...(token ? decoded(token) : []));
}

/** Shows the token of a join, as livekit-client returns it. */
export function showDetails({ serverUrl, participantToken }) {
  $("request").hidden = true;
  show("good", "Token of this connection", "", ...issued(participantToken, serverUrl), ...decoded(participantToken));
}

export function showNoAnswer(why) {
  $("request").hidden = true;
  show("bad", "No response", "", el("p", { class: "last" }, why));
}

function show(kind, status, aside, ...result) {
  $("status").replaceChildren(el("span", { class: `status ${kind}` }, status), el("span", { class: "soft" }, aside));
  $("result").replaceChildren(...result);
}

function problem({ title, detail, type, code }) {
  return [
    el("p", {}, el("b", {}, title), detail ? `: ${detail}` : ""),
    el("p", {}, "Code ", el("code", {}, code), ". ",
      el("a", { href: type, target: "_blank", rel: "noopener" }, "Meaning and remedy")),
  ];
}

function issued(token, server) {
  const { payload } = decode(token);
  const { name, sub, video, attributes: { color, imageUrl, role } } = payload;
  const { label, ratio } = legibleOn(color);
  const portrait = el("div", { class: "portrait", "aria-hidden": "true" },
    imageUrl ? el("img", { src: imageUrl, alt: "" }) : initials(name));
  const badge = el("span", { class: "badge" }, name);
  paint(portrait, color);
  paint(badge, color);
  const facts = {
    Identity: sub, Room: video.room, Server: server, ...(role && { Role: role }),
    Color: `${color}, ${label} label at ${Math.floor(ratio * 100) / 100}:1`,
  };
  const list = Object.entries(facts).flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]);
  return [
    el("div", { class: "participant" }, portrait, el("div", {}, badge, el("dl", {}, ...list))),
    el("h3", {}, "Permissions"),
    el("ul", { class: "grants" }, ...grants(payload).map(([may, what]) =>
      el("li", {}, el("b", { class: may ? "good" : "soft" }, may ? "May " : "May not "), el("span", {}, what)))),
  ];
}

function grants({ video, nbf, exp }) {
  const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
  const sources = (video.canPublishSources ?? []).map((source) => source.replaceAll("_", " "));
  return [
    [video.roomJoin, `join the room ${video.room} only`],
    [video.canPublish, `publish ${sources.length ? sources.join(", ") : "camera, microphone and screen"}`],
    [video.canPublishData, "send data messages"],
    [video.canSubscribe, "see and hear other participants"],
    [video.canUpdateOwnMetadata, "change its own name, metadata and attributes"],
    [video.roomAdmin, "remove and mute other participants"],
    [true, `connect from ${time(nbf)} to ${time(exp)} (${Math.round((exp - nbf) / 60)} minutes); connections continue afterwards`],
  ];
}

function decoded(token) {
  const { header, payload } = decode(token);
  return [el("h3", {}, "Decoded token"),
    el("h4", {}, "Header"), json(header), el("h4", {}, "Claims"), json(payload)];
}

/** Decodes the header and payload of a JWT without verification. LiveKit verifies it with the API secret. */
function decode(token) {
  const [header, payload] = token.split(".").slice(0, 2).map((part) => {
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  });
  return { header, payload };
}

/** Creates a block with `value` as JSON. `label` is its accessible name. */
export function json(value, label) {
  const pre = el("pre", { class: "wrap", tabindex: "0", ...(label && { "aria-label": label }) });
  for (const part of JSON.stringify(value, null, 2).split(/("(?:\\.|[^"\\])*"(?:\s*:)?)/)) {
    const kind = !part.startsWith('"') ? "" : part.endsWith(":") ? "key" : "string";
    pre.append(kind ? el("span", { class: kind }, part) : part);
  }
  return pre;
}

/** Copies `text` and confirms it on the pressed button. */
export async function copy({ currentTarget: button }, text) {
  await navigator.clipboard.writeText(text);
  const label = button.textContent;
  if (label === "Copied") return;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
}
