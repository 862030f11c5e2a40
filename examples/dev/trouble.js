// The box that says what went wrong.
import { el } from "./element.js";

const $ = (id) => document.getElementById(id);

/** Says it, with the way out where there is one; `again` offers to join once more. */
export function showTrouble({ title, detail, code, link, command }, { again = false } = {}) {
  const words = [el("p", {}, el("b", {}, `${title}.`), ` ${detail}`)];
  if (command) words.push(el("p", {}, "Start it, then join again:"), el("pre", {}, command));
  if (link) {
    const what = command ? "How to install it" : "What it means and what to do";
    words.push(el("p", {}, ...(code ? ["Code ", el("code", {}, code), ". "] : []),
      el("a", { href: link, target: "_blank", rel: "noopener" }, what)));
  }
  $("trouble-words").replaceChildren(...words);
  $("again").hidden = !again;
  $("trouble").hidden = false;
}

export function clearTrouble() {
  $("trouble").hidden = true;
  $("trouble-words").replaceChildren();
}
