// The list of bans of a room.
import { el } from "./element.js";

/** Displays the bans in `list`. `perform(what, send)` sends the request of an action. */
export class BanList {
  #list;
  #perform;

  constructor(list, perform) {
    this.#list = list;
    this.#perform = perform;
    this.clear();
  }

  async load(room) {
    const exchange = await this.#perform("List bans", (to) => to.bans(room));
    if (exchange?.ok) this.#show(room, exchange.answer.bans);
  }

  clear() {
    this.#list.replaceChildren();
  }

  #show(room, bans) {
    const entries = bans.map((ban) => el("li", {}, el("p", {}, el("b", {}, ban.identity), ` ${describe(ban)}`), this.#deleteButton(room, ban)));
    this.#list.replaceChildren(...(entries.length ? entries : [el("li", { class: "soft" }, "Nobody is banned.")]));
  }

  #deleteButton(room, { identity }) {
    const button = el("button", { type: "button", "aria-label": `Delete ban of ${identity}` }, "Delete ban");
    button.addEventListener("click", async () => {
      const exchange = await this.#perform(`Delete ban of ${identity}`, (to) => to.deleteBan(room, identity));
      if (exchange?.ok) await this.load(room);
    });
    return button;
  }
}

/** Returns the end and the reason of a ban in words. */
function describe({ expires_at: end, reason }) {
  const until = end ? `until ${new Date(end).toLocaleString()}` : "until it is deleted";
  return reason ? `${until}: ${reason}` : until;
}
