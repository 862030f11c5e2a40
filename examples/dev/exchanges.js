// The list of sent requests and their answers, newest first.
import { el } from "./element.js";
import { whyFailed } from "./requests.js";
import { json } from "./token.js";

const $ = (id) => document.getElementById(id);

/** Limit of the list. */
const MOST = 20;

/** Adds a request and its answer. `what` is the action in words, such as "Mute Grace Hopper". */
export function showExchange(what, exchange) {
  const status = exchange.failure ? "No response" : `${exchange.status} ${exchange.statusText}`;
  $("outcome").textContent = exchange.ok ? `${what}: done.` : `${what}: not done. ${whyFailed(exchange)}`;
  $("outcome").className = exchange.ok ? "good" : "bad";
  $("exchanges").prepend(el("li", {},
    el("h4", {}, what),
    el("pre", { class: "wrap", tabindex: "0", "aria-label": `Request: ${what}` }, requestOf(exchange)),
    el("p", { class: `status ${exchange.ok ? "good" : "bad"}` }, status),
    ...(exchange.answer ? [json(exchange.answer, `Answer: ${what}`)] : []),
    ...(exchange.answer?.type ? [el("a", { href: exchange.answer.type, target: "_blank", rel: "noopener" }, "Meaning and remedy")] : []),
  ));
  while ($("exchanges").children.length > MOST) $("exchanges").lastElementChild.remove();
  $("sent").hidden = false;
}

export function clearExchanges() {
  $("exchanges").replaceChildren();
  $("outcome").textContent = "";
  $("sent").hidden = true;
}

function requestOf({ method, path, body }) {
  return `${method} ${path}${body ? `\n\n${JSON.stringify(body)}` : ""}`;
}
