// The example `dev` and visitors of its page, each with a separate browser profile.
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

/** Time limit in seconds. The processor encodes and draws up to four videos. */
const PATIENCE = 30;

/** Path of the example's binary. `DEV_EXAMPLE` can name a prebuilt one. */
const program = process.env.DEV_EXAMPLE ?? `${repository}target/debug/examples/dev`;

export function buildExample() {
  if (!process.env.DEV_EXAMPLE) run('cargo', ['build', '--example', 'dev', '--locked'], { timeout: 900_000 });
}

async function startExample(env) {
  const example = start(program, [], { env: { PATH: process.env.PATH, ...env } });
  try {
    await eventually('the example listens', async () => {
      if (example.child.exitCode === null) await Promise.all(PORTS.map((port) => listening(port)));
      return example.child.exitCode !== null || example.output.includes('one line per request');
    });
    assert.equal(example.child.exitCode, null, example.output);
  } catch (error) {
    await example.stop();
    throw error;
  }
  return example;
}

/**
 * Runs the example during the tests of a `describe`. `env` returns its environment. Returns a function, which returns
 * what the example has printed.
 */
export function withExample(env) {
  let example;
  before(async () => { example = await startExample(env()); });
  after(() => example?.stop());
  return () => example.output;
}

const answer = (body) => (route) => route.fulfill({
  body, contentType: 'application/javascript', headers: { 'access-control-allow-origin': '*' },
});

/** Behavior of the CDN: it returns the library, or a library with a changed last byte, or no response. */
const CDN_ANSWERS = {
  up: answer(LIBRARY),
  forged: answer(Buffer.concat([LIBRARY.subarray(0, -1), Buffer.of(LIBRARY.at(-1) ^ 1)])),
  down: (route) => route.abort(),
};

/** Returns two seconds of a voice-like sound as a WAV file: a low tone and its harmonics, in syllables. */
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

/** Starts a browser with a fake camera and microphone, a moving picture and a voice. It grants or denies their use. */
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
    /** Opens the page, or a guest's `link`, in a separate profile. With `silentServer`, LiveKit's server never responds. */
    visit: async ({ cdn = 'up', silentServer = false, link = PAGE, ...options } = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      context.setDefaultTimeout(PATIENCE * 1000);
      await context.route(/^https:/, (route) => (route.request().url() === CDN ? CDN_ANSWERS[cdn](route) : route.abort()));
      if (silentServer) await context.routeWebSocket(/rtc/, () => {});
      return newVisitor(context, link);
    },
    stop: async () => {
      await browser.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function newVisitor(context, link) {
  const visitor = new Visitor(context, await context.newPage());
  await visitor.page.goto(link);
  if (link === PAGE) await visitor.page.getByRole('radio').first().waitFor();
  return visitor;
}

/** Visitor of the page, who finds elements by their roles, names and texts. */
class Visitor {
  /** Errors in the browser's console. */
  complaints = [];
  /** Uncaught exceptions. */
  exceptions = [];
  /** Bodies of the token requests. */
  asked = [];

  constructor(context, page) {
    this.context = context;
    this.page = page;
    page.on('console', (message) => { if (message.type() === 'error') this.complaints.push(message.text()); });
    page.on('pageerror', (error) => this.exceptions.push(String(error)));
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url() === `${PAGE}token`) this.asked.push(request.postData());
    });
    this.room = page.getByRole('region', { name: 'Room', exact: true });
    this.state = this.room.getByRole('status');
    this.trouble = this.room.getByRole('alert');
    this.happened = this.room.locator('[aria-live=polite]');
    this.tiles = this.room.getByRole('list', { name: 'Participants' }).getByRole('listitem');
    this.switches = this.room.getByRole('switch');
    this.call = page.getByRole('region', { name: 'Call' });
    this.people = this.call.getByRole('list', { name: 'People', exact: true }).getByRole('listitem');
    this.bans = this.call.getByRole('list', { name: 'Banned people' }).getByRole('listitem');
    this.exchanges = this.call.getByRole('list', { name: 'Requests and answers' }).getByRole('listitem');
    this.outcome = this.call.getByRole('status');
  }

  /** Opens another tab of the same browser profile. */
  tab = (link = PAGE) => newVisitor(this.context, link);
  close = () => this.context.close();

  button = (name) => this.page.getByRole('button', { name, exact: true });
  switch = (name) => this.room.getByRole('switch', { name, exact: true });
  /** Returns the entry of a participant in the list of people. */
  entry = (name) => this.people.filter({ hasText: name });
  /** Waits until the list of people has `count` entries. */
  sees = (count) => eventually(`${count} people`, async () => {
    const people = await this.people.allInnerTexts();
    if (people.length !== count) throw new Error(`there are ${JSON.stringify(people)}`);
    return true;
  }, PATIENCE);
  /** Returns the tile with exactly this label. */
  tile = (label) => this.tiles.filter({ has: this.page.getByText(label, { exact: true }) });

  async join(person, room, { device = false } = {}) {
    // A tab in the background is drawn rarely, so pressing a button would take seconds.
    await this.page.bringToFront();
    await this.page.getByRole('radio', { name: person }).check();
    await this.page.getByLabel('Room name').fill(room);
    await this.page.getByLabel('Join as a separate device').setChecked(device);
    await this.button('Join').click();
  }

  /** Joins and waits for the connection. */
  async enter(person, room, options) {
    await this.join(person, room, options);
    await reads(this.state, `In ${room} as`);
  }

  /** Presses a switch and waits for its new state. */
  async turn(name, on) {
    await this.switch(name).click();
    await this.switch(name).and(this.page.locator(`[aria-checked=${on}]`)).waitFor();
  }

  /** Presses a button of the call, and returns the newest request and its answer as shown on the page. */
  async act(button, what) {
    const shown = await this.exchanges.count();
    await this.button(button).click();
    return this.shows(what, shown);
  }

  /** Waits for the request of the action `what` after `shown` others, and returns it with its answer as shown. */
  async shows(what, shown) {
    const newest = this.exchanges.first();
    await eventually(`the request “${what}”`, async () => await this.exchanges.count() > shown
      && await newest.getByRole('heading', { name: what, exact: true }).isVisible(), PATIENCE);
    const [request, answer] = await newest.locator('pre').allInnerTexts();
    const [line, body] = request.split('\n\n');
    return {
      request: line,
      ...(body && { body: JSON.parse(body) }),
      status: await newest.locator('.status').innerText(),
      ...(answer && { answer: JSON.parse(answer) }),
    };
  }

  async leave() {
    await this.button('Leave').click();
    await reads(this.state, 'You left the room');
  }
}

/** Asserts that no page of these visitors threw an exception or broke its Content Security Policy. */
export function assertNoErrors(visitors) {
  for (const { exceptions, complaints } of visitors) {
    assert.deepEqual(exceptions, []);
    assert.deepEqual(complaints.filter((text) => text.includes('Content Security Policy')), []);
  }
}

/** Waits until the visible text of `locator` contains `words`, and returns the text. */
export function reads(locator, words) {
  return eventually(`“${words}” on the page`, async () => {
    if (!await locator.isVisible()) throw new Error('it is not to be seen');
    const text = (await locator.innerText()).replace(/\s+/g, ' ').trim();
    if (words instanceof RegExp ? words.test(text) : text.includes(words)) return text;
    throw new Error(`it reads “${text}”`);
  }, PATIENCE);
}

/** Waits until a video has shown five frames, and returns its width. */
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

/** Waits until a participant is marked as speaking, with or without animation. */
export const seesSpeaker = ({ page }, { moving }) => page.waitForFunction((wanted) => {
  const mark = document.querySelector('.tile.speaking [title=speaking] .icon');
  return mark && (mark.getAnimations().length > 0) === wanted;
}, moving);

/** Waits until the sound of an audio element is louder than silence. */
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
