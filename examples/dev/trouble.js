// The box for error messages.
import { el } from "./element.js";

const $ = (id) => document.getElementById(id);

/** Shows an error and its remedy, if there is one. With `again`, a button allows joining once more. */
export function showTrouble({ title, detail, code, link, command }, { again = false } = {}) {
  const words = [el("p", {}, el("b", {}, `${title}.`), ` ${detail}`)];
  if (command) words.push(el("p", {}, "Start it, then join again:"), el("pre", {}, command));
  if (link) {
    const what = command ? "Installation" : "Meaning and remedy";
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
