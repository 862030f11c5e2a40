// The card "Room" of this page: who is there, the switches that the token allows, and what went wrong.
import { ConnectionState, DisconnectReason, MediaDeviceFailure, Room, RoomEvent, Track } from "livekit-client";
import { asOwnDevice, join, JoinError, mayPublish, whyEnded } from "./room.js";
import { Tiles } from "./tiles.js";
import { clearTrouble, showTrouble } from "./trouble.js";

const $ = (id) => document.getElementById(id);

/** After any of these the tiles and switches are brought up to date. */
const CHANGES = [
  RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantNameChanged, RoomEvent.ParticipantAttributesChanged, RoomEvent.ParticipantPermissionsChanged,
  RoomEvent.TrackSubscribed, RoomEvent.TrackUnpublished, RoomEvent.TrackMuted, RoomEvent.TrackUnmuted,
  RoomEvent.LocalTrackPublished, RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged, RoomEvent.AudioPlaybackStatusChanged, RoomEvent.Reconnected,
];

const SWITCHES = [
  {
    button: $("microphone"), source: Track.Source.Microphone, what: "microphone",
    isOn: (me) => me.isMicrophoneEnabled, set: (me, on) => me.setMicrophoneEnabled(on),
  },
  {
    button: $("camera"), source: Track.Source.Camera, what: "camera",
    isOn: (me) => me.isCameraEnabled, set: (me, on) => me.setCameraEnabled(on),
  },
  {
    button: $("screen"), source: Track.Source.ScreenShare, what: "screen share",
    isOn: (me) => me.isScreenShareEnabled, set: (me, on) => me.setScreenShareEnabled(on),
    // Phones cannot.
    exists: () => Boolean(navigator.mediaDevices?.getDisplayMedia),
  },
];

const TICK_BOX = "To have both here, tick “This tab is a device of its own”.";
const NO_DEVICES = "A device of its own needs PARTICIPANT_DEVICES=true at the token endpoint.";

let room;
let tiles;

/**
 * Joins and stays until someone ends it. `device` names this tab, if it is to be a device of its own;
 * `showToken` gets the token's details; resolves when the connection has ended or did not come about.
 */
export async function meet({ tokens, options, device, showToken }) {
  room = new Room({ adaptiveStream: true, dynacast: true });
  tiles = new Tiles(room, $("tiles"));
  for (const event of CHANGES) room.on(event, refresh);
  room.on(RoomEvent.ParticipantConnected, ({ name, identity }) => announce(`${name || identity} joined.`));
  room.on(RoomEvent.ParticipantDisconnected, ({ name, identity }) => announce(`${name || identity} left.`));
  room.on(RoomEvent.ConnectionStateChanged, showState);
  const ended = new Promise((resolve) => room.on(RoomEvent.Disconnected, resolve));

  clearTrouble();
  setState(`Joining ${options.roomName || "a fresh room"}…`);
  try {
    const asked = device ? await asOwnDevice(tokens, options, device) : options;
    const details = await join(room, tokens, asked);
    if (!details) return setState("Not in a room");
    showToken(details);
    announce(whoIsHere());
    const reason = await ended;
    const why = whyEnded(reason);
    if (why) {
      tokens.forget();
      showTrouble(withHint(why, reason === DisconnectReason.DUPLICATE_IDENTITY && TICK_BOX), { again: true });
    }
    setState(why ? "No longer in the room" : "You left the room");
  } catch (error) {
    if (!(error instanceof JoinError)) throw error;
    showTrouble(withHint(error.why, device && error.why.code === "field_not_allowed" && NO_DEVICES), { again: true });
    setState("Not in a room");
  } finally {
    room = undefined;
    tiles.clear();
    announce("");
    $("controls").hidden = true;
    $("leave").hidden = true;
  }
}

/** Leaves, or gives up joining. */
export function leave() {
  return room?.disconnect();
}

for (const { button, what, isOn, set } of SWITCHES) {
  button.addEventListener("click", async () => {
    if (!room || button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    clearTrouble();
    try {
      await set(room.localParticipant, !isOn(room.localParticipant));
    } catch (error) {
      if (room) showTrouble(whyNoDevice(what, error));
    }
    button.removeAttribute("aria-busy");
    refresh();
  });
}
$("sound").addEventListener("click", () => room?.startAudio());

function refresh() {
  if (room?.state !== ConnectionState.Connected) return;
  tiles.sync();
  const me = room.localParticipant;
  const refused = [];
  for (const { button, source, what, isOn, exists } of SWITCHES) {
    const may = mayPublish(me, source);
    if (!may) refused.push(what);
    button.hidden = !may || exists?.() === false;
    button.setAttribute("aria-checked", String(isOn(me)));
  }
  $("refused").hidden = refused.length === 0;
  $("refused").textContent = whyRefused(refused, me.attributes.role);
  // Browsers play sound only after a click on the page; the button is one.
  $("sound").hidden = room.canPlaybackAudio;
}

function showState(state) {
  if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) {
    setState("Connection lost, reconnecting…");
  }
  if (state === ConnectionState.Connecting) {
    $("leave").textContent = "Give up";
    $("leave").hidden = false;
  }
  if (state !== ConnectionState.Connected) return;
  const { name, identity, attributes } = room.localParticipant;
  setState(`In ${room.name} as ${name || identity}${attributes.role ? `, ${attributes.role}` : ""}`);
  $("controls").hidden = false;
  $("leave").textContent = "Leave";
  refresh();
}

function whoIsHere() {
  const names = [...room?.remoteParticipants.values() ?? []].map(({ name, identity }) => name || identity);
  return names.length ? `Here already: ${names.join(", ")}.` : "Nobody else is here yet: join from a second window as someone else.";
}

/** What the token does not let this participant send. LiveKit's server holds them to it. */
function whyRefused(refused, role) {
  const by = role ? `The role “${role}”` : "Your token";
  if (refused.length === SWITCHES.length) {
    return `${by} lets you watch and listen, and send nothing: no microphone, camera or screen share.`;
  }
  return `${by} does not let you send: ${refused.join(", ")}.`;
}

function whyNoDevice(what, error) {
  const reasons = {
    [MediaDeviceFailure.PermissionDenied]: "The browser was not allowed to use it. Its address bar or settings say how to allow it.",
    [MediaDeviceFailure.NotFound]: "The browser finds none on this machine.",
    [MediaDeviceFailure.DeviceInUse]: "Another program uses it.",
  };
  const detail = reasons[MediaDeviceFailure.getFailure(error)] ?? `${error.message}.`;
  return { title: `No ${what}`, detail };
}

function withHint(why, hint) {
  return hint ? { ...why, detail: `${why.detail} ${hint}` } : why;
}

function setState(words) {
  $("state").textContent = words;
}

function announce(words) {
  $("happened").textContent = words;
}
