// The card "Room" of this page: participants, the switches that the token allows, and error messages.
import { ConnectionState, DisconnectReason, MediaDeviceFailure, Room, RoomEvent, Track } from "livekit-client";
import { fetchAdmitted } from "./admission.js";
import { Call } from "./call.js";
import { nameOf, roleOf } from "./participant.js";
import { asOwnDevice, join, JoinError, mayPublish, whyEnded } from "./room.js";
import { Tiles } from "./tiles.js";
import { clearTrouble, showTrouble } from "./trouble.js";

const $ = (id) => document.getElementById(id);

/** Events that update the tiles and switches. */
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
    // Phones do not support it.
    exists: () => Boolean(navigator.mediaDevices?.getDisplayMedia),
  },
];

const TICK_BOX = "To use both tabs, tick “Join as a separate device”.";
const NO_DEVICES = "A separate device requires PARTICIPANT_DEVICES=true at the token endpoint.";

let room;
let tiles;
let call;
/** Cancels waiting for admission. */
let waiting;

/**
 * Joins a room, if necessary after waiting for admission. `device` is the name of this tab if it is a separate device.
 * `requests` sends the person's requests about the room, which guests do not have. `showToken` receives the details of
 * the token. Resolves when the connection has ended or failed.
 */
export async function meet({ tokens, requests, options, device, showToken }) {
  room = new Room({ adaptiveStream: true, dynacast: true });
  tiles = new Tiles(room, $("tiles"));
  call = requests && new Call(room, requests);
  waiting = new AbortController();
  for (const event of CHANGES) room.on(event, refresh);
  room.on(RoomEvent.ParticipantConnected, (participant) => announce(`${nameOf(participant)} joined.`));
  room.on(RoomEvent.ParticipantDisconnected, (participant) => announce(`${nameOf(participant)} left.`));
  room.on(RoomEvent.ParticipantAttributesChanged, (changed, participant) => {
    if (room?.state !== ConnectionState.Connected) return;
    announceChange(changed, participant);
    // The last token contains the former role.
    if (changed.role && participant.isLocal) tokens.forget();
  });
  room.on(RoomEvent.ConnectionStateChanged, showState);
  const ended = new Promise((resolve) => room.on(RoomEvent.Disconnected, resolve));

  clearTrouble();
  setState(`Joining ${options.roomName || "a new room"}…`);
  try {
    const details = await enter(tokens, options, device);
    if (!details) return setState("Not in a room");
    showToken?.(details);
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
    call?.close();
    announce("");
    $("controls").hidden = true;
    $("leave").hidden = true;
  }
}

/** Fetches a token, if necessary after waiting for admission, and connects. Resolves to `undefined` if it was canceled. */
async function enter(tokens, options, device) {
  const { signal } = waiting;
  const admitted = (wish) => fetchAdmitted(tokens, wish, { onWait: showWaiting, signal });
  if (!await admitted(options)) return undefined;
  const asked = device ? await asOwnDevice(tokens, options, device) : options;
  return await admitted(asked) && join(room, tokens, asked);
}

/** Leaves the room, or cancels joining. */
export function leave() {
  waiting?.abort();
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
  call?.sync();
  const me = room.localParticipant;
  const role = roleOf(me);
  setState(`In ${room.name} as ${nameOf(me)}${role ? `, ${role}` : ""}`);
  const refused = [];
  for (const { button, source, what, isOn, exists } of SWITCHES) {
    const may = mayPublish(me, source);
    if (!may) refused.push(what);
    button.hidden = !may || exists?.() === false;
    button.setAttribute("aria-checked", String(isOn(me)));
  }
  $("refused").hidden = refused.length === 0;
  $("refused").textContent = whyRefused(refused, role);
  // Browsers play sound only after a click on the page, for which the button exists.
  $("sound").hidden = room.canPlaybackAudio;
}

function showState(state) {
  if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) {
    setState("Connection lost, reconnecting…");
  }
  if (state === ConnectionState.Connecting) showCancel();
  if (state !== ConnectionState.Connected) return;
  $("controls").hidden = false;
  $("leave").textContent = "Leave";
  refresh();
}

function showWaiting() {
  setState("Waiting to be let in…");
  announce("A host decides who enters. Keep this page open.");
  showCancel();
}

function showCancel() {
  $("leave").textContent = "Cancel";
  $("leave").hidden = false;
}

function whoIsHere() {
  const names = [...room?.remoteParticipants.values() ?? []].map(nameOf);
  return names.length ? `Already in the room: ${names.join(", ")}.` : "No other participant is here: join as another person in a second window.";
}

/** Announces a raised hand, and a change of the own role. */
function announceChange(changed, participant) {
  if (changed.hand_raised_at) announce(`${nameOf(participant)} raised the hand.`);
  if (changed.role && participant.isLocal) announce(`Your role is now “${changed.role}”.`);
}

/** Returns a text about the media that the token does not allow. LiveKit's server enforces it. */
function whyRefused(refused, role) {
  const by = role ? `The role “${role}”` : "Your token";
  if (refused.length === SWITCHES.length) {
    return `${by} allows you to watch and listen only, without microphone, camera or screen share.`;
  }
  return `${by} does not allow: ${refused.join(", ")}.`;
}

function whyNoDevice(what, error) {
  const reasons = {
    [MediaDeviceFailure.PermissionDenied]: "The browser was not allowed to use it. You can allow it in the address bar or the settings.",
    [MediaDeviceFailure.NotFound]: "The browser found none on this machine.",
    [MediaDeviceFailure.DeviceInUse]: "Another program uses it.",
  };
  const detail = reasons[MediaDeviceFailure.getFailure(error)] ?? `${error.message}.`;
  return { title: `No ${what}`, detail };
}

function withHint(why, hint) {
  return hint ? { ...why, detail: `${why.detail} ${hint}` } : why;
}

function setState(words) {
  // The same words are not announced again.
  if ($("state").textContent !== words) $("state").textContent = words;
}

function announce(words) {
  if ($("happened").textContent !== words) $("happened").textContent = words;
}
