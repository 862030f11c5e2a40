// The page of `cargo run --example dev` in Chromium: a host, a participant and a viewer in a call on a LiveKit server,
// whose webhook is configured as the example prints it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startLiveKit } from './support/livekit_server.js';
import { assertNoErrors, buildExample, reads, startVisitors, watch, withExample } from './support/page.js';
import { contrasts, namelessParts, shoot, tabStop } from './support/page_looks.js';
import { eventually, freePort } from './support/processes.js';

const ROOM = 'stage: 1/2';
const ROOM_PATH = '/v1/rooms/stage%3A%201%2F2';
const GRACE = 'grace%40example.com';
const NEMO = 'nemo%40example.com';
const NO_CONTENT = '204 No Content';

let livekitPort;
let livekit;
let visitors;

before(async () => {
  buildExample();
  livekitPort = await freePort();
  visitors = await startVisitors();
});
after(() => visitors?.stop());

/** Runs the example and a LiveKit server with the configuration that the example prints. */
function withCalls(env = {}) {
  const output = withExample(() => ({ LIVEKIT_URL: `ws://127.0.0.1:${livekitPort}`, ...env }));
  before(async () => {
    const [, yaml] = /^cat > livekit\.yaml <<'END'\n(.*?)\nEND\nlivekit-server --dev --config livekit\.yaml$/ms.exec(output());
    livekit = await startLiveKit({ port: livekitPort, yaml });
  });
  after(() => livekit?.stop());
}

const actions = (entry) => entry.locator('button, summary').filter({ visible: true }).allInnerTexts();
const present = async (room = ROOM) => (await livekit.rooms.listParticipants(room)).map(({ identity }) => identity).sort();

/** Fetches a token without the page. */
async function fetchToken(person, room) {
  const post = async (url, body, headers) => (await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
  })).json();
  const { access_token: bearer } = await post('http://127.0.0.1:3001/login', { person });
  return post('http://127.0.0.1:3000/token', { room_name: room }, { authorization: `Bearer ${bearer}` });
}

describe('a call with a host, a participant and a viewer', () => {
  withCalls();
  let ada;
  let grace;
  let nemo;
  before(async () => {
    [ada, grace, nemo] = [await visitors.visit(), await visitors.visit(), await visitors.visit()];
    await ada.enter('Ada', ROOM);
    await grace.enter('Grace', ROOM);
    await nemo.enter('Nemo', ROOM);
    await ada.sees(3);
  });
  after(() => Promise.all([ada?.close(), grace?.close(), nemo?.close()]));

  test('everybody sees the people and their roles', async () => {
    for (const who of [ada, grace, nemo]) {
      await reads(who.entry('Ada Lovelace'), 'host');
      await reads(who.entry('Grace Hopper'), 'participant');
      await reads(who.entry('Unnamed User'), 'viewer');
    }
  });

  test('only the host has actions for other participants', async () => {
    assert.deepEqual(await actions(ada.entry('Ada Lovelace (you)')), []);
    assert.deepEqual(await actions(ada.entry('Grace Hopper')), ['Make viewer', 'Mute', 'Remove', 'Ban']);
    assert.deepEqual(await actions(ada.entry('Unnamed User')), ['Make participant', 'Mute', 'Remove', 'Ban']);
    assert.ok(await ada.button('End the call for all').isVisible());
    assert.ok(await ada.button('List bans').isVisible());
    for (const who of [grace, nemo]) {
      assert.deepEqual(await actions(who.call), []);
      assert.ok(await who.button('Raise hand').isVisible());
    }
  });

  test('everybody sees a raised hand, until it is lowered', async () => {
    assert.deepEqual(await nemo.act('Raise hand', 'Raise your hand'), {
      request: `PUT ${ROOM_PATH}/hand`, body: { raised: true }, status: NO_CONTENT,
    });
    for (const who of [ada, grace]) {
      await reads(who.happened, 'Unnamed User raised the hand.');
      await reads(who.entry('Unnamed User'), 'raised the hand at');
      await who.tile('Unnamed User').getByTitle('hand raised').waitFor();
    }
    await shoot(ada, 'hand');
    assert.deepEqual(await nemo.act('Lower hand', 'Lower your hand'), {
      request: `PUT ${ROOM_PATH}/hand`, body: { raised: false }, status: NO_CONTENT,
    });
    for (const who of [ada, grace]) await who.tile('Unnamed User').getByTitle('hand raised').waitFor({ state: 'hidden' });
    await nemo.act('Raise hand', 'Raise your hand');
    await ada.tile('Unnamed User').getByTitle('hand raised').waitFor();
  });

  test('host lists the participants', async () => {
    const { request, status, answer } = await ada.act('List participants', 'List participants');
    assert.deepEqual([request, status], [`GET ${ROOM_PATH}/participants`, '200 OK']);
    const people = answer.participants.map(({ identity, role, hand_raised_at: raised }) => [identity, role, Boolean(raised)]);
    assert.deepEqual(people.sort(), [
      ['ada@example.com', 'host', false], ['grace@example.com', 'participant', false], ['nemo@example.com', 'viewer', true],
    ]);
  });

  test('promoted viewer publishes, and the hand is lowered', async () => {
    assert.deepEqual(await nemo.switches.allInnerTexts(), []);
    assert.deepEqual(await ada.act('Make participant: Unnamed User', 'Make Unnamed User a participant'), {
      request: `PUT ${ROOM_PATH}/participants/${NEMO}/role`, body: { role: 'participant' },
      status: '200 OK', answer: { identity: 'nemo@example.com', role: 'participant' },
    });
    await reads(nemo.state, `In ${ROOM} as Unnamed User, participant`);
    await nemo.button('Raise hand').waitFor();
    await ada.tile('Unnamed User').getByTitle('hand raised').waitFor({ state: 'hidden' });
    await nemo.turn('Camera', true);
    assert.ok(await watch(grace.tile('Unnamed User').getByLabel(/, camera$/)) > 0);
  });

  test('given role survives a new token', async () => {
    await nemo.leave();
    await nemo.enter('Nemo', ROOM);
    assert.equal(await nemo.state.innerText(), `In ${ROOM} as Unnamed User, participant`);
    await nemo.turn('Camera', true);
  });

  test('demoted participant no longer publishes', async () => {
    assert.deepEqual(await ada.act('Make viewer: Unnamed User', 'Make Unnamed User a viewer'), {
      request: `PUT ${ROOM_PATH}/participants/${NEMO}/role`, body: { role: 'viewer' },
      status: '200 OK', answer: { identity: 'nemo@example.com', role: 'viewer' },
    });
    await reads(nemo.state, `In ${ROOM} as Unnamed User, viewer`);
    await grace.tile('Unnamed User').locator('video').waitFor({ state: 'hidden' });
    await eventually('no switches', async () => (await nemo.switches.allInnerTexts()).length === 0);
    await reads(ada.entry('Unnamed User').getByRole('button').first(), 'Make participant');
  });

  test('muted participant is silent and can unmute', async () => {
    await grace.turn('Microphone', true);
    assert.deepEqual(await ada.act('Mute Grace Hopper', 'Mute Grace Hopper'), {
      request: `POST ${ROOM_PATH}/participants/${GRACE}/mute`, status: NO_CONTENT,
    });
    await grace.switch('Microphone').and(grace.page.locator('[aria-checked=false]')).waitFor();
    await nemo.tile('Grace Hopper').getByTitle('microphone off').waitFor();
    await grace.turn('Microphone', true);
  });

  test('removed participant joins again', async () => {
    assert.deepEqual(await ada.act('Remove Grace Hopper', 'Remove Grace Hopper'), {
      request: `DELETE ${ROOM_PATH}/participants/${GRACE}`, status: NO_CONTENT,
    });
    await reads(grace.trouble, 'You were removed from the room.');
    await ada.sees(2);
    await grace.button('Join again').click();
    await reads(grace.state, `In ${ROOM} as Grace Hopper`);
  });

  describe('a ban', () => {
    let earlier;
    before(async () => { earlier = await fetchToken('grace', ROOM); });

    test('ban removes the participant', async () => {
      const entry = ada.entry('Grace Hopper');
      await entry.locator('summary').click();
      await entry.getByLabel('Minutes').fill('30');
      await entry.getByLabel('Reason').fill('noise');
      await shoot(ada, 'ban');
      const { request, body, status, answer } = await ada.act('Ban Grace Hopper', 'Ban Grace Hopper');
      assert.deepEqual({ request, body, status }, {
        request: `POST ${ROOM_PATH}/bans`, body: { identity: 'grace@example.com', seconds: 1800, reason: 'noise' }, status: '201 Created',
      });
      assert.deepEqual([answer.identity, answer.reason], ['grace@example.com', 'noise']);
      assert.equal(Date.parse(answer.expires_at) - Date.parse(answer.banned_at), 1_800_000);
      await reads(grace.trouble, 'You were removed from the room.');
      await ada.sees(2);
    });

    test('banned person receives no token', async () => {
      await grace.button('Join again').click();
      await reads(grace.trouble, 'banned');
      assert.equal((await fetchToken('grace', ROOM)).code, 'banned');
      assert.ok((await fetchToken('grace', 'another room')).participant_token);
      await shoot(grace, 'banned');
    });

    test('token from before the ban is of no use', async () => {
      await grace.page.route('**/token', (route) => route.fulfill({ status: 201, json: earlier }));
      await grace.button('Join again').click();
      await reads(grace.trouble, 'You were removed from the room.');
      await grace.page.unroute('**/token');
      await eventually('two people', async () => (await present()).length === 2);
      await ada.sees(2);
    });

    test('host lists the ban', async () => {
      const { request, status, answer } = await ada.act('List bans', 'List bans');
      assert.deepEqual([request, status], [`GET ${ROOM_PATH}/bans`, '200 OK']);
      assert.deepEqual(answer.bans.map(({ identity, reason }) => [identity, reason]), [['grace@example.com', 'noise']]);
      assert.match(await reads(ada.bans, 'grace@example.com'), /until .*: noise/);
      await shoot(ada, 'bans');
    });

    test('person joins again when the host has deleted the ban', async () => {
      const shown = await ada.exchanges.count();
      await ada.button('Delete ban of grace@example.com').click();
      await reads(ada.bans, 'Nobody is banned.');
      const texts = await ada.exchanges.allInnerTexts();
      assert.equal(texts.length, shown + 2);
      assert.match(texts[1], new RegExp(`DELETE ${ROOM_PATH}/bans/${GRACE}\\s+${NO_CONTENT}`));
      assert.match(texts[0], new RegExp(`GET ${ROOM_PATH}/bans\\s+200 OK\\s+\\{\\s+"bans": \\[\\]`));
      await grace.button('Join again').click();
      await reads(grace.state, `In ${ROOM} as Grace Hopper, participant`);
    });
  });

  test('page explains a rejected request and a missing response', async () => {
    await ada.sees(3);
    const instead = (url) => (route) => (url ? route.continue({ url }) : route.abort());
    await ada.page.route('**/mute', instead(`http://127.0.0.1:3000${ROOM_PATH}/participants/nobody/mute`));
    const { status, answer } = await ada.act('Mute Grace Hopper', 'Mute Grace Hopper');
    assert.deepEqual([status, answer.code], ['404 Not Found', 'participant_not_found']);
    await reads(ada.outcome, `Mute Grace Hopper: not done. ${answer.title}`);
    await ada.page.unroute('**/mute');
    await ada.page.route('**/mute', instead());
    assert.equal((await ada.act('Mute Grace Hopper', 'Mute Grace Hopper')).status, 'No response');
    await reads(ada.outcome, 'Mute Grace Hopper: not done. No response from roomkey');
    await shoot(ada, 'failed');
    await ada.page.unroute('**/mute');
    await ada.act('Mute Grace Hopper', 'Mute Grace Hopper');
    assert.equal(await ada.outcome.innerText(), 'Mute Grace Hopper: done.');
  });

  describe('accessibility', () => {
    test('actions work with the keyboard only', async () => {
      const { keyboard } = ada.page;
      await ada.page.bringToFront();
      await ada.button('Mute Grace Hopper').focus();
      const next = async (name) => {
        await keyboard.press('Tab');
        assert.deepEqual(await tabStop(ada), { name, visible: true });
      };
      await next('Remove Grace Hopper');
      await next('Ban: Grace Hopper');
      await keyboard.press('Enter');
      await next('Minutes If empty, until the ban is deleted.');
      await next('Reason For hosts and moderators only.');
      await next('Ban Grace Hopper');
      await ada.button('End the call for all').focus();
      await keyboard.press('Enter');
      assert.deepEqual(await tabStop(ada), { name: 'Cancel', visible: true });
      await shoot(ada, 'confirm');
      await keyboard.press('Escape');
      assert.deepEqual(await tabStop(ada), { name: 'End the call for all', visible: true });
    });

    test('every button, field and list has an accessible name', async () => {
      await ada.turn('Camera', true);
      await ada.tiles.getByLabel('Ada Lovelace, camera').waitFor();
      assert.deepEqual(await namelessParts(ada), []);
    });

    for (const colorScheme of ['light', 'dark']) {
      test(`text has a contrast of at least 4.5:1 in the ${colorScheme} scheme`, async () => {
        await ada.page.emulateMedia({ colorScheme });
        const seen = await contrasts(ada);
        for (const text of ['Make participant', 'Minutes', 'Nobody is banned.', 'End the call for all', NO_CONTENT, 'No response']) {
          assert.ok(seen.some((one) => one.text === text), text);
        }
        assert.deepEqual(seen.filter(({ ratio }) => ratio < 4.5), []);
      });
    }

    test('narrow screen has no horizontal overflow', async () => {
      await ada.page.setViewportSize({ width: 380, height: 800 });
      assert.ok(await ada.page.evaluate(() => document.documentElement.scrollWidth) <= 380);
      await ada.page.setViewportSize({ width: 1280, height: 900 });
    });
  });

  test('host ends the call for all after a confirmation', async () => {
    const shown = await ada.exchanges.count();
    await ada.button('End the call for all').click();
    await ada.button('Cancel').click();
    assert.equal(await ada.exchanges.count(), shown);
    assert.equal((await present()).length, 3);

    await ada.button('End the call for all').click();
    assert.deepEqual(await ada.act('End the call', 'End the call for all'), {
      request: `DELETE ${ROOM_PATH}`, status: NO_CONTENT,
    });
    for (const who of [ada, grace, nemo]) await reads(who.trouble, 'The room was closed.');
    assert.deepEqual(await actions(ada.call), []);
    await shoot(ada, 'ended');
  });

  test('console has no unexpected errors', () => assertNoErrors([ada, grace, nemo]));
});

describe('a call with a moderator, and consent to a role', () => {
  withCalls({
    POLICY: `
      [[allow]]
      when = { org_role = "org:admin" }
      rooms = ["*"]
      role = "host"

      [[allow]]
      when = { org_id = "acme" }
      rooms = ["*"]
      role = "moderator"

      [[allow]]
      rooms = ["*"]
      role = "viewer"

      [roles.participant]
      consent = true
    `,
  });
  let ada;
  let grace;
  let nemo;
  before(async () => {
    [ada, grace, nemo] = [await visitors.visit(), await visitors.visit(), await visitors.visit()];
    await ada.enter('Ada', 'hall');
    await grace.enter('Grace', 'hall');
    await nemo.enter('Nemo', 'hall');
    await grace.entry('Unnamed User').waitFor();
    await ada.entry('Unnamed User').waitFor();
  });
  after(() => Promise.all([ada?.close(), grace?.close(), nemo?.close()]));

  test('moderator has no action for hosts, and cannot change roles or end the call', async () => {
    assert.deepEqual(await actions(grace.entry('Ada Lovelace')), []);
    assert.deepEqual(await actions(grace.entry('Unnamed User')), ['Mute', 'Remove', 'Ban']);
    assert.ok(await grace.button('End the call for all').isHidden());
    assert.ok(await grace.button('List bans').isVisible());
    assert.deepEqual(await actions(ada.entry('Grace Hopper')), ['Mute', 'Remove', 'Ban']);
  });

  test('page explains that a role requires a raised hand', async () => {
    const promote = () => ada.act('Make participant: Unnamed User', 'Make Unnamed User a participant');
    const { status, answer } = await promote();
    assert.deepEqual([status, answer.code], ['409 Conflict', 'hand_not_raised']);
    await reads(ada.outcome, `not done. ${answer.title}`);
    await nemo.act('Raise hand', 'Raise your hand');
    await ada.tile('Unnamed User').getByTitle('hand raised').waitFor();
    assert.equal((await promote()).status, '200 OK');
  });

  test('moderator bans without an end', async () => {
    const entry = grace.entry('Unnamed User');
    await entry.locator('summary').click();
    const { body, status } = await grace.act('Ban Unnamed User', 'Ban Unnamed User');
    assert.deepEqual([body, status], [{ identity: 'nemo@example.com' }, '201 Created']);
    await reads(nemo.trouble, 'You were removed from the room.');
    await grace.act('List bans', 'List bans');
    await reads(grace.bans, 'nemo@example.com until it is deleted');
  });
});
