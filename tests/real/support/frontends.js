// The code of docs/frontends.md, which fetches tokens in its own language behind one interface, and of docs/guests.md.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { blocks } from './docs.js';
import { output, repository, start, work } from './processes.js';

const LANGUAGES = { ts: 'ts', tsx: 'tsx', py: 'python', rs: 'rust', swift: 'swift', kt: 'kotlin', dart: 'dart', cs: 'cs' };

/** Returns the code of `docs/PAGE.md` whose first line contains the file name. */
export function piece(name, page = 'frontends') {
  const found = blocks(page, LANGUAGES[name.split('.').at(-1)]).filter((code) => /^(?:\/\/|#) (\S+)/.exec(code)?.[1] === name);
  if (found.length !== 1) throw new Error(`${found.length} blocks with the file name ${name}`);
  return found[0];
}

/** Creates a temporary folder with the code. */
export function startFolder(names, page) {
  const path = mkdtempSync(`${tmpdir()}/frontends-`);
  for (const name of names) writeFileSync(`${path}/${name}`, piece(name, page));
  symlinkSync(`${repository}tests/real/node_modules`, `${path}/node_modules`);
  return { path, stop: () => rmSync(path, { recursive: true, force: true }) };
}

/** Compiles the TypeScript in `folder` with all strict options. Throws the messages of the compiler. */
export async function checkTypes(folder, files) {
  const compilerOptions = {
    strict: true, noEmit: true, target: 'es2022', module: 'preserve', lib: ['es2023', 'dom', 'dom.iterable'], jsx: 'react-jsx', types: [],
    noUncheckedIndexedAccess: true, noImplicitOverride: true, noImplicitReturns: true, noPropertyAccessFromIndexSignature: true,
    noUnusedLocals: true, noUnusedParameters: true, verbatimModuleSyntax: true,
    // The types of the libraries are not the subject of this test.
    skipLibCheck: true,
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files }));
  await output(`${repository}tests/real/node_modules/.bin/tsc`, ['--project', folder]);
}

/** Returns `file` of `folder` as one module for Node or for a browser. */
export async function bundle(folder, file, platform) {
  const { outputFiles } = await build({
    absWorkingDir: folder, entryPoints: [file], bundle: true, write: false, format: 'esm', platform, jsx: 'automatic', logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
    // In Node, the suite's own installation is used.
    ...(platform === 'node' && { external: ['livekit-client'] }),
  });
  return outputFiles[0].text;
}

/**
 * Starts a program that reads one request per line, `URL ROOM BEARER RENEWED`, and writes one line per response,
 * `token TOKEN` or `problem CODE`.
 */
async function startAsker(command, args, options) {
  const program = start(command, args, { stdin: 'pipe', ...options });
  const lines = createInterface({ input: program.child.stdout });
  const ask = async (...words) => {
    program.child.stdin.write(`${words.join(' ')}\n`);
    const ended = program.exited.then(() => { throw new Error(program.output); });
    const [line] = await Promise.race([once(lines, 'line'), ended]);
    const [kind, text] = line.split(' ');
    return { [kind]: text };
  };
  return { ask, stop: program.stop };
}

/** Returns the environment in which Python finds the code in `folder`. */
export const pythonEnv = (folder) => ({ PATH: process.env.PATH, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' });
export const startPython = (folder) => startAsker(
  `${work}/venv/bin/python`, ['-u', `${repository}tests/real/support/frontends.py`], { env: pythonEnv(folder) },
);
export const startRust = () => startAsker(`${work}/rust_client/debug/frontends`, []);

/** Runs the JavaScript code in this process, with one source per URL. */
export async function startJavaScript(folder) {
  writeFileSync(`${folder}/roomkey.mjs`, await bundle(folder, 'roomkey.ts', 'node'));
  const { Problem, RoomkeyTokenSource, messageFor } = await import(`${folder}/roomkey.mjs`);
  const sources = new Map();
  let bearers;
  const ask = async (url, room, ...given) => {
    bearers = given;
    if (!sources.has(url)) sources.set(url, new RoomkeyTokenSource(url, async (renew) => bearers[renew ? 1 : 0]));
    try {
      return { token: (await sources.get(url).fetch({ roomName: room })).participantToken };
    } catch (error) {
      return { problem: error instanceof Problem ? error.code : 'unavailable', error, message: messageFor(error) };
    }
  };
  return { ask, source: (url, accessToken) => new RoomkeyTokenSource(url, accessToken), stop: () => {} };
}

/** Serves a web page with `script` on its own origin, for a browser with a fake microphone. */
export async function startApp(script) {
  const page = '<!doctype html><meta charset="utf-8"><title>app</title><div id="app"></div><script type="module" src="/app.js"></script>';
  const server = createServer((request, response) => {
    if (request.url === '/app.js') response.setHeader('content-type', 'text/javascript').end(script);
    else response.setHeader('content-type', 'text/html').end(page);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    visit: async (prepare, fragment = '') => {
      const tab = await browser.newPage();
      tab.setDefaultTimeout(20_000);
      await prepare(tab);
      await tab.goto(`${origin}/${fragment}`);
      return tab;
    },
    stop: async () => {
      await browser.close();
      server.closeAllConnections();
      server.close();
    },
  };
}
