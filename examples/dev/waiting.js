// The list of people who wait until a host admits them.
import { RoomEvent } from "livekit-client";
import { paint } from "./colors.js";
import { el } from "./element.js";

const $ = (id) => document.getElementById(id);

/** Topic of the data messages by which roomkey tells hosts to read the list. */
const TOPIC = "roomkey.lobby";
/** Seconds between two requests for the list, in case a message was lost. */
const INTERVAL = 10;

/**
 * The people who wait for `room`. `requests` is the result of `roomRequests`, and `perform(what, send)` sends the request
 * of an action.
 */
export class WaitingList {
  #room;
  #requests;
  #perform;
  #entries = new Map();
  #people = [];
  #timer;
  #isReading = false;
  /** Whether something changed while the list was read. */
  #isOutdated = false;

  constructor(room, requests, perform) {
    this.#room = room;
    this.#requests = requests;
    this.#perform = perform;
    room.on(RoomEvent.DataReceived, (_payload, _participant, _kind, topic) => {
      if (topic === TOPIC && this.#timer) this.#read();
    });
    this.clear();
  }

  /** Shows the list and keeps it current if the own role may admit people. */
  sync(mayAdmit) {
    if (!mayAdmit) {
      this.clear();
    } else if (this.#timer) {
      this.#show();
    } else {
      this.#timer = setInterval(() => this.#read(), INTERVAL * 1000);
      this.#read();
    }
  }

  clear() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    $("waiting").hidden = true;
    this.#people = [];
    this.#show();
  }

  async #read() {
    this.#isOutdated = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#timer && this.#isOutdated) {
      this.#isOutdated = false;
      this.#showAnswer(await this.#requests.waiting(this.#room.name));
    }
    this.#isReading = false;
  }

  #showAnswer({ ok, status, answer }) {
    // The call may have ended meanwhile. 404 is the response without state.
    if (!this.#timer || status === 404) return;
    $("waiting").hidden = false;
    if (ok) {
      this.#people = answer.waiting;
      this.#show();
    } else {
      say("The list of waiting people is not available.");
    }
  }

  /** Keeps the entries of people who still wait, so that their buttons keep the focus. */
  #show() {
    // With "until-host", a person can enter before the list no longer contains them.
    const people = this.#people.filter(({ identity }) => !this.#room.remoteParticipants.has(identity));
    const present = new Set(people.map(({ identity }) => identity));
    for (const [identity, entry] of this.#entries) {
      if (present.has(identity)) continue;
      this.#entries.delete(identity);
      removeWithFocus(entry);
    }
    for (const person of people) {
      if (this.#entries.has(person.identity)) continue;
      const entry = this.#entry(person);
      this.#entries.set(person.identity, entry);
      $("waiting-people").append(entry);
    }
    say(["Nobody is waiting.", "1 person is waiting."][people.length] ?? `${people.length} people are waiting.`);
  }

  #entry({ identity, name, color, since }) {
    const badge = el("b", { class: "badge" }, name);
    paint(badge, color);
    const time = new Date(since).toLocaleTimeString();
    const entry = el("li", {}, el("p", {}, badge, ` since ${time}`), el("div", { class: "actions", role: "group", "aria-label": `Decision about ${name}` },
      this.#button("Admit", `Admit ${name}`, identity, true),
      this.#button("Refuse", `Refuse ${name}`, identity, false)));
    entry.dataset.identity = identity;
    return entry;
  }

  #button(words, what, identity, admit) {
    const button = el("button", { type: "button", "aria-label": what, ...(!admit && { class: "danger" }) }, words);
    button.addEventListener("click", async () => {
      await this.#perform(what, (to) => to.decide(this.#room.name, identity, admit));
      // Another host may have decided first, so the list is read after a failure as well.
      await this.#read();
    });
    return button;
  }
}

/** Removes an entry. If it has the focus, the next entry or the section receives it. */
function removeWithFocus(entry) {
  const hadFocus = entry.contains(document.activeElement);
  const next = entry.nextElementSibling ?? entry.previousElementSibling;
  entry.remove();
  if (hadFocus) (next?.querySelector("button") ?? $("waiting")).focus();
}

function say(words) {
  // The same words are not announced again.
  if ($("waiting-count").textContent !== words) $("waiting-count").textContent = words;
}
