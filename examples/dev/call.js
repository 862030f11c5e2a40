// The card "Call" of this page: the people in the call, the actions of hosts, and the requests that they send.
import { BanList } from "./bans.js";
import { clearExchanges, showExchange } from "./exchanges.js";
import { Invitations } from "./invitations.js";
import { People } from "./people.js";
import { handRaisedAt, roleOf } from "./participant.js";
import { rightsOf } from "./rights.js";
import { WaitingList } from "./waiting.js";

const $ = (id) => document.getElementById(id);

/** The call of `room` while it lasts. `requests` is the result of `roomRequests`. */
export class Call {
  #room;
  #requests;
  #people;
  #bans;
  #invitations;
  #waiting;
  #busy = false;

  constructor(room, requests) {
    this.#room = room;
    this.#requests = requests;
    this.#people = new People(room, $("people-here"), (what, send) => this.perform(what, send));
    this.#bans = new BanList($("bans"), (what, send) => this.perform(what, send));
    this.#invitations = new Invitations(room, (what, send) => this.perform(what, send));
    this.#waiting = new WaitingList(room, requests, (what, send) => this.perform(what, send));
    clearExchanges();
    $("hand").onclick = () => this.#setHand(!this.#isHandRaised);
    $("list-people").onclick = () => this.perform("List participants", (to) => to.participants(room.name));
    $("list-bans").onclick = () => this.#bans.load(room.name);
    $("end").onclick = () => $("confirm-end").showModal();
    $("confirm-end").onclose = () => {
      if ($("confirm-end").returnValue === "end") this.perform("End the call for all", (to) => to.end(room.name));
      $("confirm-end").returnValue = "";
    };
  }

  /** Shows the people, and the actions that the own role allows. */
  sync() {
    const { moderates, invites, ends } = rightsOf(roleOf(this.#room.localParticipant));
    const hadFocus = $("call").contains(document.activeElement);
    this.#people.sync();
    this.#invitations.sync(invites);
    this.#waiting.sync(moderates);
    $("hand").querySelector("span").textContent = this.#isHandRaised ? "Lower hand" : "Raise hand";
    $("list-people").hidden = !moderates;
    $("banned").hidden = !moderates;
    $("end").hidden = !ends;
    $("call").hidden = false;
    $("here").hidden = false;
    // The focused button can be hidden or removed now.
    if (hadFocus && document.activeElement === document.body) $("call").focus();
  }

  get #isHandRaised() {
    return Boolean(handRaisedAt(this.#room.localParticipant));
  }

  #setHand(raised) {
    return this.perform(raised ? "Raise your hand" : "Lower your hand", (to) => to.setHand(this.#room.name, raised));
  }

  /** Sends the request of an action, shows it with its answer, and returns both. One action at a time. */
  async perform(what, send) {
    if (this.#busy) return undefined;
    this.#busy = true;
    $("call").setAttribute("aria-busy", "true");
    const exchange = await send(this.#requests);
    $("call").removeAttribute("aria-busy");
    this.#busy = false;
    showExchange(what, exchange);
    return exchange;
  }

  /** Hides the people and the actions. The requests and answers remain visible. */
  close() {
    this.#people.clear();
    this.#bans.clear();
    this.#invitations.clear();
    this.#waiting.clear();
    if ($("confirm-end").open) $("confirm-end").close();
    $("here").hidden = true;
    $("call").hidden = $("sent").hidden;
  }
}
