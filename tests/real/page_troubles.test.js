// The page of `cargo run --example dev` in Chromium: messages if joining or fetching a token fails.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startLiveKit } from './support/livekit_server.js';
import { buildExample, reads, startVisitors, withExample } from './support/page.js';
import { shoot } from './support/page_looks.js';
import { freePort } from './support/processes.js';

let livekitPort;
let livekit;
let visitors;

before(async () => {
  buildExample();
  livekitPort = await freePort();
  visitors = await startVisitors();
});
after(async () => {
  await visitors?.stop();
  await livekit?.stop();
});

const example = (env) => withExample(() => ({ LIVEKIT_URL: `ws://127.0.0.1:${livekitPort}`, ...env }));

describe('the page', () => {
  example();

  test('page explains a missing LiveKit server and joins after its start', async () => {
    const ada = await visitors.visit();
    await ada.join('Ada', 'standup');
    const words = await reads(ada.trouble, 'The LiveKit server is not running');
    assert.ok(words.includes(`No LiveKit server responds at ws://127.0.0.1:${livekitPort}.`), words);
    assert.ok(words.includes('livekit-server --dev'), words);
    assert.equal(await ada.trouble.getByRole('link').getAttribute('href'), 'https://docs.livekit.io/transport/self-hosting/local/');
    await shoot(ada, 'server-down');

    livekit = await startLiveKit({ port: livekitPort });
    await ada.button('Join again').click();
    assert.equal(await reads(ada.state, 'In standup'), 'In standup as Ada Lovelace, host');
    assert.ok(await ada.trouble.isHidden());
    assert.equal(ada.asked.length, 2, 'a token that got nobody in is not used again');
    await ada.close();
  });

  describe('no token', () => {
    let visitor;
    before(async () => { visitor = await visitors.visit(); });
    after(() => visitor?.close());

    test('page shows title, detail, code and link of a problem', async () => {
      await visitor.join('Emmy', 'standup');
      await reads(visitor.trouble, 'Email address not set.');
      assert.match(await visitor.trouble.innerText(), /email_not_set/);
      assert.match(await visitor.trouble.getByRole('link').getAttribute('href'), /docs\/problems\.md#email_not_set$/);
      await shoot(visitor, 'refused');
    });

    test('join after a rejection uses a token of the requested room', async () => {
      await visitor.enter('Grace', 'standup');
      await visitor.leave();
      await visitor.join('Grace', 'x'.repeat(257));
      await reads(visitor.trouble, 'invalid_request');
      await visitor.button('Join again').click();
      await reads(visitor.trouble, 'invalid_request');
      assert.deepEqual(visitor.asked.slice(-3).map((body) => JSON.parse(body).room_name.length), [7, 257, 257]);
    });

    test('request with one fault receives the status of the fault', async () => {
      for (const [variant, answer] of [
        ['without changes', '201 Created'], ['without a token', '401 Unauthorized'], ['with an expired token', /401.*token_expired/],
        ['with the identity of another person', /403.*field_not_allowed/], ['with a body that is not JSON', /400.*invalid_request/],
      ]) {
        await visitor.page.getByLabel('Room name').fill('standup');
        await visitor.page.getByLabel('Send the request').selectOption(variant);
        await visitor.button('Get token').click();
        await reads(visitor.page.locator('#answer'), answer);
      }
    });

    test('empty room name results in a new room', async () => {
      await visitor.join('Nemo', '');
      assert.match(await reads(visitor.state, 'In room-'), /^In room-[A-Za-z0-9_-]{22,} as Unnamed User/);
      await visitor.leave();
    });

    test('page explains an unreachable endpoint', async () => {
      await visitor.page.route('**/token', (route) => route.abort());
      await visitor.join('Nemo', 'standup');
      await reads(visitor.trouble, 'No response from the token endpoint.');
      await visitor.page.unroute('**/token');
    });

    test('page explains an unreachable identity provider', async () => {
      await visitor.page.route('**/login', (route) => route.abort());
      await visitor.join('Nemo', 'standup');
      assert.match(await reads(visitor.trouble, 'Signing in failed.'), /No identity provider at http:\/\/127\.0\.0\.1:3001/);
    });
  });

  test('joining can be canceled if the LiveKit server does not respond', async () => {
    const ada = await visitors.visit({ silentServer: true });
    await ada.join('Ada', 'standup');
    await ada.button('Cancel').click();
    await reads(ada.state, 'Not in a room');
    assert.ok(await ada.trouble.isHidden());
    assert.ok(await ada.button('Join').isEnabled());
    await ada.close();
  });

  test('page explains a blocked camera and the call continues', async () => {
    const strict = await startVisitors({ mayUseDevices: false });
    const ada = await strict.visit();
    await ada.enter('Ada', 'standup');
    await ada.switch('Camera').click();
    await reads(ada.trouble, 'No camera. The browser was not allowed to use it.');
    assert.ok(await ada.button('Join again').isHidden());
    assert.equal(await ada.switch('Camera').getAttribute('aria-checked'), 'false');
    assert.equal(await ada.state.innerText(), 'In standup as Ada Lovelace, host');
    await strict.stop();
  });

  describe('the library from the CDN', () => {
    for (const [cdn, complaint] of [['forged', /digest in the 'integrity' attribute.*has been blocked/], ['down', /ERR_FAILED/]]) {
      test(`page explains a library that is ${cdn} and still fetches tokens`, async () => {
        const visitor = await visitors.visit({ cdn });
        await visitor.join('Ada', 'standup');
        await reads(visitor.trouble, 'LiveKit’s client library could not be loaded.');
        assert.match(visitor.complaints.join('\n'), complaint);
        assert.ok(await visitor.button('Join').isEnabled());
        await visitor.button('Get token').click();
        const answer = await reads(visitor.page.locator('#answer'), '201 Created');
        assert.match(answer, /Ada Lovelace.*ada@example\.com.*May join the room standup.*"participant_token"/s);
        assert.match(await visitor.page.locator('#request').innerText(), /await fetch\("http:\/\/127\.0\.0\.1:3000\/token"/);
        if (cdn === 'down') await shoot(visitor, 'no-library');
        await visitor.close();
      });
    }

    test('scripts of other origins do not run', async () => {
      const visitor = await visitors.visit();
      const ran = await visitor.page.evaluate(() => {
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }));
        return window.ran === true;
      });
      assert.equal(ran, false);
      assert.match(visitor.complaints.join('\n'), /Content Security Policy/);
      await visitor.close();
    });
  });
});

describe('the page with a key that is unknown to the LiveKit server', () => {
  example({ LIVEKIT_API_KEY: 'otherkey' });

  test('page explains that the server rejected the token', async () => {
    const ada = await visitors.visit();
    await ada.join('Ada', 'standup');
    assert.match(await reads(ada.trouble, 'The LiveKit server rejected the token.'), /API key/);
    await ada.close();
  });
});
