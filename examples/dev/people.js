// A list with one entry per participant: role, raised hand, and the actions that the own role allows.
import { el, icon } from "./element.js";
import { fullNameOf, handRaisedAt, isGuest, roleOf } from "./participant.js";
import { mayModerate, roleToGive } from "./rights.js";

/** Displays the participants of `room` in `list`. Call `sync` after every event of the room. */
export class People {
  #room;
  #list;
  #perform;
  #entries = new Map();

  /** `perform(what, send)` sends the request of an action. `send` receives the requests of `requests.js`. */
  constructor(room, list, perform) {
    this.#room = room;
    this.#list = list;
    this.#perform = perform;
  }

  sync() {
    const me = this.#room.localParticipant;
    const present = new Set();
    for (const participant of [me, ...this.#room.remoteParticipants.values()]) {
      present.add(participant.sid);
      this.#entry(participant).sync(roleOf(me));
    }
    for (const [sid, entry] of this.#entries) {
      if (present.has(sid)) continue;
      entry.element.remove();
      this.#entries.delete(sid);
    }
  }

  clear() {
    this.#entries.forEach(({ element }) => element.remove());
    this.#entries.clear();
  }

  #entry(participant) {
    if (!this.#entries.has(participant.sid)) {
      const entry = new Entry(participant, this.#room.name, this.#perform);
      this.#entries.set(participant.sid, entry);
      this.#list.append(entry.element);
    }
    return this.#entries.get(participant.sid);
  }
}

class Entry {
  #participant;
  #room;
  #perform;
  #name = el("b");
  #role = el("span", { class: "soft" });
  #hand = el("span", { class: "hand" });
  #give = button(() => this.#send(`Make ${this.#label} a ${this.#given}`, (to, ...target) => to.setRole(...target, this.#given)));
  #mute = button(() => this.#send(`Mute ${this.#label}`, (to, ...target) => to.mute(...target)));
  #remove = button(() => this.#send(`Remove ${this.#label}`, (to, ...target) => to.remove(...target)));
  #ban = new BanForm((ban) => this.#send(`Ban ${this.#label}`, (to, ...target) => to.ban(...target, ban)));
  #actions = el("div", { class: "actions", role: "group" }, this.#give, this.#mute, this.#remove, this.#ban.element);
  /** Role that the button gives. */
  #given;

  constructor(participant, room, perform) {
    this.#participant = participant;
    this.#room = room;
    this.#perform = perform;
    this.element = el("li", {}, el("p", {}, this.#name, " ", this.#role, " ", this.#hand), this.#actions);
    this.element.dataset.identity = participant.identity;
  }

  /** Shows the current facts, and the actions that the own role `mine` allows. */
  sync(mine) {
    const { isLocal } = this.#participant;
    const role = roleOf(this.#participant);
    const label = this.#label;
    this.#name.textContent = isLocal ? `${label} (you)` : label;
    this.#role.textContent = [isGuest(this.#participant) && "guest", role].filter(Boolean).join(", ");
    this.#showHand();

    this.#given = isLocal ? undefined : roleToGive(mine, role);
    const moderates = !isLocal && mayModerate(mine, role);
    this.#give.hidden = !this.#given;
    for (const part of [this.#mute, this.#remove, this.#ban.element]) part.hidden = !moderates;
    this.#actions.hidden = !this.#given && !moderates;

    this.#actions.setAttribute("aria-label", `Actions for ${label}`);
    setLabel(this.#give, `Make ${this.#given}`, `: ${label}`);
    setLabel(this.#mute, "Mute", ` ${label}`);
    setLabel(this.#remove, "Remove", ` ${label}`);
    this.#ban.setLabel(label);
  }

  get #label() {
    return fullNameOf(this.#participant);
  }

  #send(what, send) {
    return this.#perform(what, (requests) => send(requests, this.#room, this.#participant.identity));
  }

  #showHand() {
    const time = handRaisedAt(this.#participant);
    const words = time ? `raised the hand at ${time.toLocaleTimeString()}` : "";
    if (this.#hand.textContent === words) return;
    this.#hand.replaceChildren(...(time ? [icon("hand"), words] : []));
  }
}

/** The fields of a ban, which open on demand. */
class BanForm {
  #summary = el("summary");
  #minutes = el("input", { type: "number", min: "1", max: "5256000", step: "1" });
  #reason = el("input", { type: "text", maxlength: "120", autocomplete: "off" });
  #submit = el("button");

  /** `ban` receives `{ seconds, reason }` without the fields that are empty. */
  constructor(ban) {
    const form = el("form", {},
      el("label", {}, "Minutes", el("span", { class: "hint" }, "If empty, until the ban is deleted."), this.#minutes),
      el("label", {}, "Reason", el("span", { class: "hint" }, "For hosts and moderators only."), this.#reason),
      this.#submit);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ban({
        seconds: this.#minutes.value ? 60 * this.#minutes.valueAsNumber : undefined,
        reason: this.#reason.value || undefined,
      });
    });
    this.element = el("details", { class: "ban" }, this.#summary, form);
  }

  setLabel(label) {
    this.element.setAttribute("aria-label", `Ban of ${label}`);
    setLabel(this.#summary, "Ban", `: ${label}`);
    setLabel(this.#submit, "Ban", ` ${label}`);
  }
}

function button(press) {
  const node = el("button", { type: "button" });
  node.addEventListener("click", press);
  return node;
}

/** Sets a short visible label and a complete accessible name, which begins with it. */
function setLabel(node, words, rest) {
  if (node.textContent !== words) node.textContent = words;
  node.setAttribute("aria-label", `${words}${rest}`);
}
