// The form for invitations, and the links that it created.
import { el } from "./element.js";
import { copy } from "./token.js";

const $ = (id) => document.getElementById(id);

/** Waiting rooms by the value of their option. */
const LOBBIES = { none: undefined, admit: true, "until-host": "until-host" };

/** The invitations that this page created for `room`. `perform(what, send)` sends the request of an action. */
export class Invitations {
  #room;
  #perform;

  constructor(room, perform) {
    this.#room = room;
    this.#perform = perform;
    $("invite-form").onsubmit = (event) => {
      event.preventDefault();
      this.#invite();
    };
    this.clear();
  }

  /** Offers the roles in `invites`, with which the own role may invite. */
  sync(invites) {
    $("inviting").hidden = invites.length === 0;
    const offered = [...$("invite-role").options].map(({ value }) => value);
    if (offered.join() === invites.join()) return;
    $("invite-role").replaceChildren(...invites.map((role) => el("option", {}, role)));
  }

  clear() {
    $("invite").open = false;
    $("links").replaceChildren();
  }

  async #invite() {
    const role = $("invite-role").value;
    const lobby = LOBBIES[$("invite-lobby").value];
    const seconds = 60 * $("invite-minutes").valueAsNumber;
    const name = $("invite-name").value || undefined;
    const wish = { role, seconds, name, lobby };
    const exchange = await this.#perform(`Invite a ${role}`, (to) => to.invite(this.#room.name, wish));
    if (exchange?.ok) $("links").prepend(this.#entry(wish, exchange.answer));
  }

  #entry({ role, name, lobby }, { invitation, expires_at: end }) {
    const facts = `${name ?? "Guest"}, ${role}, until ${new Date(end).toLocaleTimeString()}${lobby ? ", waiting room" : ""}`;
    const link = linkTo(invitation);
    const field = el("input", { type: "text", readonly: "", value: link, "aria-label": `Link: ${facts}` });
    const copyButton = el("button", { type: "button", "aria-label": `Copy link: ${facts}` }, "Copy link");
    copyButton.addEventListener("click", (event) => copy(event, link));
    const revokeButton = el("button", { type: "button", class: "danger", "aria-label": `Revoke: ${facts}` }, "Revoke");
    const entry = el("li", {}, el("p", {}, facts), field, el("div", { class: "actions" }, copyButton, revokeButton));
    revokeButton.addEventListener("click", async () => {
      const { jti } = claimsOf(invitation);
      const exchange = await this.#perform("Revoke an invitation", (to) => to.revoke(this.#room.name, jti));
      if (!exchange?.ok) return;
      entry.remove();
      $("invite").querySelector("summary").focus();
    });
    return entry;
  }
}

/** Returns the link with the invitation in the fragment, which browsers send to no server. */
function linkTo(invitation) {
  return `${location.origin}/guest#${invitation}`;
}

/** Returns the claims of an invitation without verification, for display. */
export function claimsOf(invitation) {
  const text = atob(invitation.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
}
