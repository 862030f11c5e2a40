// A list with one tile per participant and shared screen: presence color, name, picture or video, microphone.
import { Track } from "livekit-client";
import { initials, paint } from "./colors.js";
import { el, icon } from "./element.js";
import { deviceOf, handRaisedAt, isGuest, nameOf } from "./participant.js";

/** Color of participants whose token is not from roomkey. */
const NO_COLOR = "#374151";

/** Displays the participants of `room` in `list`. Call `sync` after every event of the room. */
export class Tiles {
  #room;
  #list;
  #tiles = new Map();

  constructor(room, list) {
    this.#room = room;
    this.#list = list;
  }

  sync() {
    const wanted = new Set();
    for (const participant of [this.#room.localParticipant, ...this.#room.remoteParticipants.values()]) {
      wanted.add(this.#tile(PersonTile, participant));
      if (participant.getTrackPublication(Track.Source.ScreenShare)?.track) {
        wanted.add(this.#tile(ScreenTile, participant));
      }
    }
    for (const [key, tile] of this.#tiles) {
      if (wanted.has(tile)) {
        tile.sync();
      } else {
        tile.remove();
        this.#tiles.delete(key);
      }
    }
  }

  clear() {
    this.#tiles.forEach((tile) => tile.remove());
    this.#tiles.clear();
  }

  #tile(Kind, participant) {
    const key = `${Kind.name} ${participant.sid}`;
    if (!this.#tiles.has(key)) {
      const tile = new Kind(participant);
      this.#tiles.set(key, tile);
      this.#list.append(tile.element);
    }
    return this.#tiles.get(key);
  }
}

/** Plays one track at a time in one media element. */
class Player {
  #track;

  constructor(element) {
    this.element = element;
  }

  /** Plays a publication. Without one, such as for the participant's own microphone, nothing is played. */
  play(publication) {
    const track = publication?.isMuted ? undefined : publication?.track;
    this.element.hidden = !track;
    if (track === this.#track) return;
    this.#track?.detach(this.element);
    track?.attach(this.element);
    this.#track = track;
  }
}

class PersonTile {
  #participant;
  #video;
  #voice = new Player(el("audio"));
  #avatar = el("div", { class: "avatar", "aria-hidden": "true" });
  #name = el("span", { class: "name" });
  #microphone = el("span", { class: "mark" });
  #hand = el("span", { class: "mark", title: "hand raised" }, icon("hand"), el("span", { class: "unseen" }, "hand raised: "));
  #shown = "";

  constructor(participant) {
    this.#participant = participant;
    this.#video = new Player(el("video", { playsinline: "" }));
    this.label = el("p", { class: "label" }, this.#hand, this.#microphone, this.#name);
    this.element = el("li", { class: "tile" }, this.#avatar, this.#video.element, this.#voice.element, this.label);
    this.element.classList.toggle("mine", participant.isLocal);
  }

  sync() {
    const participant = this.#participant;
    const name = nameOf(participant);
    const { color = NO_COLOR, imageUrl } = participant.attributes;
    this.element.dataset.identity = participant.identity;
    this.element.style.borderColor = color;
    this.element.classList.toggle("speaking", participant.isSpeaking);
    paint(this.label, color);

    const device = deviceOf(participant);
    this.#name.replaceChildren(
      name, participant.isLocal ? " (you)" : "", isGuest(participant) ? el("small", {}, " guest") : "", device ? el("small", {}, ` device ${device}`) : "",
    );
    this.#video.element.setAttribute("aria-label", `${name}, camera`);
    this.#showAvatar(name, color, imageUrl);
    this.#showMicrophone(participant.isMicrophoneEnabled, participant.isSpeaking);
    this.#hand.hidden = !handRaisedAt(participant);

    this.#video.play(participant.getTrackPublication(Track.Source.Camera));
    if (!participant.isLocal) this.#voice.play(participant.getTrackPublication(Track.Source.Microphone));
    this.#avatar.hidden = !this.#video.element.hidden;
  }

  remove() {
    this.#video.play();
    this.#voice.play();
    this.element.remove();
  }

  #showAvatar(name, color, imageUrl) {
    const shown = JSON.stringify([name, color, imageUrl]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    paint(this.#avatar, color);
    this.#avatar.replaceChildren(initials(name));
    if (!imageUrl) return;
    const picture = el("img", { src: imageUrl, alt: "" });
    picture.addEventListener("load", () => this.#avatar.replaceChildren(picture), { once: true });
  }

  #showMicrophone(on, speaking) {
    const words = speaking ? "speaking" : `microphone ${on ? "on" : "off"}`;
    if (this.#microphone.title === words) return;
    this.#microphone.title = words;
    this.#microphone.classList.toggle("off", !on);
    this.#microphone.replaceChildren(
      icon(speaking ? "speaking" : "microphone"),
      el("span", { class: "unseen" }, `${words}: `),
    );
  }
}

class ScreenTile {
  #participant;
  #video = new Player(el("video", { playsinline: "" }));
  #sound = new Player(el("audio"));
  #label = el("p", { class: "label" });

  constructor(participant) {
    this.#participant = participant;
    this.element = el("li", { class: "tile screen" }, this.#video.element, this.#sound.element, this.#label);
  }

  sync() {
    const participant = this.#participant;
    const { color = NO_COLOR } = participant.attributes;
    const words = participant.isLocal ? "Your screen" : `Screen of ${nameOf(participant)}`;
    this.element.dataset.screenOf = participant.identity;
    this.element.style.borderColor = color;
    paint(this.#label, color);
    this.#label.textContent = words;
    this.#video.element.setAttribute("aria-label", words);
    this.#video.play(participant.getTrackPublication(Track.Source.ScreenShare));
    if (!participant.isLocal) this.#sound.play(participant.getTrackPublication(Track.Source.ScreenShareAudio));
  }

  remove() {
    this.#video.play();
    this.#sound.play();
    this.element.remove();
  }
}
