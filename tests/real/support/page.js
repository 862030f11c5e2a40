// The example `dev` and visitors of its page, each in a browser profile of their own.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { eventually, listening, repository, run, start } from './processes.js';

const PAGE = 'http://127.0.0.1:3000/';
const PORTS = [3000, 3001];
const CDN = 'https://cdn.jsdelivr.net/npm/livekit-client@2.23.0/dist/livekit-client.esm.mjs';
const LIBRARY = readFileSync(new URL('../node_modules/livekit-client/dist/livekit-client.esm.mjs', import.meta.url));

/** Seconds for anything to come about: video is encoded and drawn by the processor, four times over. */
const PATIENCE = 30;

/** The example's binary; `DEV_EXAMPLE` names one that is built already. */
const program = process.env.DEV_EXAMPLE ?? `${repository}target/debug/examples/dev`;

export function buildExample() {
  if (!process.env.DEV_EXAMPLE) run('cargo', ['build', '--example', 'dev', '--locked'], { timeout: 900_000 });
}

async function startExample(env) {
  const example = start(program, [], { env: { PATH: process.env.PATH, ...env } });
  try {
    await eventually('the example listens', async () => {
      if (example.child.exitCode === null) await Promise.all(PORTS.map((port) => listening(port)));
      return example.child.exitCode !== null || example.output.includes('a line per request');
    });
    assert.equal(example.child.exitCode, null, example.output);
  } catch (error) {
    await example.stop();
    throw error;
  }
  return example;
}

/** Has the example run while the rows of a `describe` do; `env` gives its environment. */
export function withExample(env) {
  let example;
  before(async () => { example = await startExample(env()); });
  after(() => example?.stop());
}

const answer = (body) => (route) => route.fulfill({
  body, contentType: 'application/javascript', headers: { 'access-control-allow-origin': '*' },
});

/** What the CDN does: answers with the library, or with its last byte changed, or not at all. */
const CDN_ANSWERS = {
  up: answer(LIBRARY),
  forged: answer(Buffer.concat([LIBRARY.subarray(0, -1), Buffer.of(LIBRARY.at(-1) ^ 1)])),
  down: (route) => route.abort(),
};

/** Two seconds of something like a voice, as a WAV file: a low tone and its harmonics, in syllables. */
function voice() {
  const rate = 48_000;
  const samples = Int16Array.from({ length: 2 * rate }, (_, at) => {
    const time = at / rate;
    const tone = [1, 2, 3, 4, 5, 6].reduce((sum, n) => sum + Math.sin(2 * Math.PI * n * (150 + 30 * Math.sin(5 * time)) * time) / n, 0);
    return 9_000 * tone * Math.sin(2 * Math.PI * 2 * time) ** 2;
  });
  const header = Buffer.alloc(44);
  header.write('RIFF....WAVEfmt ', 'latin1');
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.writeUInt32LE(16, 16);
  // PCM, one channel, samples and bytes per second, bytes and bits per sample.
  [1, 1].forEach((value, at) => header.writeUInt16LE(value, 20 + 2 * at));
  [rate, 2 * rate].forEach((value, at) => header.writeUInt32LE(value, 24 + 4 * at));
  [2, 16].forEach((value, at) => header.writeUInt16LE(value, 32 + 2 * at));
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}

/** A browser whose camera and microphone are made up: a moving picture and a voice. Asked for them, it says yes or no. */
export async function startVisitors({ mayUseDevices = true } = {}) {
  const folder = mkdtempSync(`${tmpdir()}/visitors-`);
  writeFileSync(`${folder}/voice.wav`, voice());
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      '--use-fake-device-for-media-stream',
      mayUseDevices ? '--use-fake-ui-for-media-stream' : '--deny-permission-prompts',
      `--use-file-for-fake-audio-capture=${folder}/voice.wav`,
    ],
  });
  return {
    /** Opens the page in a profile of its own. To a visitor with `silentServer` LiveKit's server never answers. */
    visit: async ({ cdn = 'up', silentServer = false, ...options } = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      context.setDefaultTimeout(PATIENCE * 1000);
      await context.route(/^https:/, (route) => (route.request().url() === CDN ? CDN_ANSWERS[cdn](route) : route.abort()));
      if (silentServer) await context.routeWebSocket(/rtc/, () => {});
      return newVisitor(context);
    },
    stop: async () => {
      await browser.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function newVisitor(context) {
  const visitor = new Visitor(context, await context.newPage());
  await visitor.page.goto(PAGE);
  await visitor.page.getByRole('radio').first().waitFor();
  return visitor;
}

/** Somebody at the page, who goes by what can be seen: roles, names, words. */
class Visitor {
  /** What the browser's console complained of. */
  complaints = [];
  /** Exceptions that nothing caught. */
  exceptions = [];
  /** The bodies of the requests for tokens. */
  asked = [];

  constructor(context, page) {
    this.context = context;
    this.page = page;
    page.on('console', (message) => { if (message.type() === 'error') this.complaints.push(message.text()); });
    page.on('pageerror', (error) => this.exceptions.push(String(error)));
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url() === `${PAGE}token`) this.asked.push(request.postData());
    });
    this.room = page.getByRole('region', { name: 'Room' });
    this.state = this.room.getByRole('status');
    this.trouble = this.room.getByRole('alert');
    this.happened = this.room.locator('[aria-live=polite]');
    this.tiles = this.room.getByRole('list', { name: 'In the room' }).getByRole('listitem');
    this.switches = this.room.getByRole('switch');
  }

  /** Another tab of the same browser profile. */
  tab = () => newVisitor(this.context);
  close = () => this.context.close();

  button = (name) => this.page.getByRole('button', { name, exact: true });
  switch = (name) => this.room.getByRole('switch', { name, exact: true });
  /** The tile with exactly this label. */
  tile = (label) => this.tiles.filter({ has: this.page.getByText(label, { exact: true }) });

  async join(person, room, { device = false } = {}) {
    // Of two tabs the one behind is drawn seldom, and then pressing a button takes seconds.
    await this.page.bringToFront();
    await this.page.getByRole('radio', { name: person }).check();
    await this.page.getByLabel('Room name').fill(room);
    await this.page.getByLabel('This tab is a device of its own').setChecked(device);
    await this.button('Join').click();
  }

  /** Joins, and waits until that is done. */
  async enter(person, room, options) {
    await this.join(person, room, options);
    await reads(this.state, `In ${room} as`);
  }

  /** Presses a switch, and waits until it has the new state. */
  async turn(name, on) {
    await this.switch(name).click();
    await this.switch(name).and(this.page.locator(`[aria-checked=${on}]`)).waitFor();
  }

  async leave() {
    await this.button('Leave').click();
    await reads(this.state, 'You left the room');
  }
}

/** Waits until `locator` is on the page and what can be seen of it has `words`; gives what it reads. */
export function reads(locator, words) {
  return eventually(`“${words}” on the page`, async () => {
    if (!await locator.isVisible()) throw new Error('it is not to be seen');
    const text = (await locator.innerText()).replace(/\s+/g, ' ').trim();
    if (words instanceof RegExp ? words.test(text) : text.includes(words)) return text;
    throw new Error(`it reads “${text}”`);
  }, PATIENCE);
}

/** Waits until five frames have been shown by a video, and gives its width. */
export const watch = (video) => video.evaluate((element, patience) => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error(`no frames: ${element.videoWidth} wide, state ${element.readyState}`)), patience * 1000);
  let frames = 0;
  const next = () => {
    frames += 1;
    if (frames === 5) resolve(element.videoWidth);
    else element.requestVideoFrameCallback(next);
  };
  element.requestVideoFrameCallback(next);
}), PATIENCE);

/** Waits until somebody is marked as speaking, and the mark moves or keeps still. */
export const seesSpeaker = ({ page }, { moving }) => page.waitForFunction((wanted) => {
  const mark = document.querySelector('.tile.speaking [title=speaking] .icon');
  return mark && (mark.getAnimations().length > 0) === wanted;
}, moving);

/** Waits until what an audio element plays is louder than silence. */
export const listen = (audio) => audio.evaluate((element, patience) => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('nothing to hear')), patience * 1000);
  const sound = new AudioContext();
  const analyser = sound.createAnalyser();
  const samples = new Float32Array(analyser.fftSize);
  let source;
  const next = () => {
    if (!source && element.srcObject) {
      source = sound.createMediaStreamSource(element.srcObject);
      source.connect(analyser);
    }
    analyser.getFloatTimeDomainData(samples);
    const loudest = Math.max(...samples.map(Math.abs));
    if (loudest > 0.01 && !element.paused && !element.muted && element.volume === 1) resolve(loudest);
    else requestAnimationFrame(next);
  };
  next();
}), PATIENCE);
