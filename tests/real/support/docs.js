// Code blocks of the documentation.
import { readFileSync } from 'node:fs';
import { repository } from './processes.js';

/** Returns the fenced blocks of `docs/NAME.md` in the language, in order. */
export function blocks(name, language) {
  const page = readFileSync(`${repository}docs/${name}.md`, 'utf8');
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter((block) => block[1] === language).map((block) => block[2]);
}

/** Returns the only block of `docs/NAME.md` in the language that contains `text`. */
export function block(name, language, text) {
  const found = blocks(name, language).filter((code) => code.includes(text));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} with ${text} in ${name}.md`);
  return found[0];
}
