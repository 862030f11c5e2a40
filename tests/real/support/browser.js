// Debian's Chromium, and pages with LiveKit's SDK on separate origins.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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

/** Starts a browser with an empty profile. `visit` opens a page. */
export async function startBrowser() {
  const profile = mkdtempSync(`${tmpdir()}/chromium-`);
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: [
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
