// Debian's Chromium, and pages with LiveKit's SDK on separate origins.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { chromium } from 'playwright-core';

const SDK = readFileSync(new URL('../node_modules/livekit-client/dist/livekit-client.umd.js', import.meta.url));

/** Starts a web server with one empty page and the SDK, on a separate origin. */
export async function startPages() {
  const server = createServer((request, response) => {
    if (request.url === '/sdk.js') response.setHeader('content-type', 'text/javascript').end(SDK);
    else response.setHeader('content-type', 'text/html').end('<!doctype html><title>app</title><script src="/sdk.js"></script>');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * Writes an unpacked extension with one empty page and the SDK. It has no permission for any host, so that its requests
 * are subject to CORS. The extension's ID, and so its origin, is a digest of the key in the manifest.
 */
export function makeExtension(name) {
  const folder = mkdtempSync(`${tmpdir()}/extension-`);
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
  const manifest = { manifest_version: 3, name, version: '1', key: key.toString('base64') };
  writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
  writeFileSync(`${folder}/page.html`, '<!doctype html><title>extension</title><script src="sdk.js"></script>');
  writeFileSync(`${folder}/sdk.js`, SDK);
  const digits = createHash('sha256').update(key).digest('hex').slice(0, 32);
  const id = [...digits].map((digit) => 'abcdefghijklmnop'[parseInt(digit, 16)]).join('');
  return {
    folder,
    origin: `chrome-extension://${id}`,
    page: `chrome-extension://${id}/page.html`,
    stop: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Starts a browser with an empty profile and the `extensions`. `visit` opens a page. */
export async function startBrowser({ extensions = [] } = {}) {
  const profile = mkdtempSync(`${tmpdir()}/chromium-`);
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    ...(extensions.length > 0 && { ignoreDefaultArgs: ['--disable-extensions'] }),
    args: [
      ...(extensions.length > 0 ? [`--load-extension=${extensions.map(({ folder }) => folder)}`] : []),
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  return {
    visit: async (url) => {
      const page = await browser.newPage();
      await page.goto(url);
      return page;
    },
    stop: async () => {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Fetches a token from `url` in the page, with LiveKit's TokenSource and a header that is read for each request. */
export const fetchToken = (page, url, bearer, options) => page.evaluate(async ([endpoint, token, wish]) => {
  const source = window.LivekitClient.TokenSource.endpoint(endpoint, {
    headers: { get Authorization() { return `Bearer ${token}`; } },
  });
  try {
    return { details: await source.fetch(wish) };
  } catch (error) {
    return { error: error.message };
  }
}, [url, bearer, options]);
