// The page of `cargo run --example dev`, in Chromium, with a LiveKit server: people meet there.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startLiveKit } from './support/livekit_server.js';
import { buildExample, listen, reads, seesSpeaker, startVisitors, watch, withExample } from './support/page.js';
import { contrasts, namelessParts, shoot, tabStop, toRgb } from './support/page_looks.js';
import { eventually, freePort } from './support/processes.js';

const NOBODY_ELSE = 'Nobody else is here yet';

let livekitPort;
let livekit;
let visitors;

before(async () => {
  buildExample();
  livekitPort = await freePort();
  livekit = await startLiveKit({ port: livekitPort });
  visitors = await startVisitors();
});
after(async () => {
  await visitors?.stop();
  await livekit?.stop();
});

const participants = async (room) => new Map((await livekit.rooms.listParticipants(room)).map((one) => [one.name, one]));
const color = (locator, property) => locator.evaluate((element, name) => getComputedStyle(element)[name], property);

describe('the page', () => {
  withExample(() => ({ LIVEKIT_URL: livekit.url }));

  describe('two people in a room', () => {
    let ada;
    let grace;
    let known;
    before(async () => {
      [ada, grace] = [await visitors.visit(), await visitors.visit({ reducedMotion: 'reduce' })];
      await ada.enter('Ada', 'standup');
      await reads(ada.happened, NOBODY_ELSE);
      await grace.enter('Grace', 'standup');
      known = await participants('standup');
    });
    after(() => Promise.all([ada?.close(), grace?.close()]));

    test('each is told of the other', async () => {
      await reads(ada.happened, 'Grace Hopper joined.');
      await reads(grace.happened, 'Here already: Ada Lovelace.');
    });

    test('each sees the other: name, presence color, picture or initials', async () => {
      assert.deepEqual([...known.keys()].sort(), ['Ada Lovelace', 'Grace Hopper']);
      for (const [who, label, name] of [
        [ada, 'Ada Lovelace (you)', 'Ada Lovelace'], [ada, 'Grace Hopper', 'Grace Hopper'],
        [grace, 'Grace Hopper (you)', 'Grace Hopper'], [grace, 'Ada Lovelace', 'Ada Lovelace'],
      ]) {
        assert.equal(await who.tiles.count(), 2);
        const expected = toRgb(known.get(name).attributes.color);
        const tile = who.tile(label);
        assert.equal(await color(tile, 'borderTopColor'), expected, `${label}: the frame`);
        assert.equal(await color(tile.locator('.label'), 'backgroundColor'), expected, `${label}: behind the name`);
        assert.equal(await color(tile.locator('.avatar'), 'backgroundColor'), expected, `${label}: behind the picture`);
        assert.ok(await tile.locator('.avatar').isVisible());
      }
      await grace.tile('Ada Lovelace').locator('.avatar img[src="http://127.0.0.1:3001/ada.svg"]').waitFor();
      assert.equal(await ada.tile('Grace Hopper').locator('.avatar').innerText(), 'GH');
      await shoot(ada, 'two-people');
    });

    test('the token joined with is shown', async () => {
      const answer = await ada.page.locator('#answer').innerText();
      for (const words of ['The token you joined with', 'ada@example.com', known.get('Ada Lovelace').attributes.color]) {
        assert.ok(answer.includes(words), `${words} in ${answer}`);
      }
    });

    test('pictures flow both ways', async () => {
      await ada.turn('Camera', true);
      await grace.turn('Camera', true);
      for (const [who, label] of [[ada, 'Grace Hopper'], [grace, 'Ada Lovelace'], [ada, 'Ada Lovelace (you)']]) {
        const video = who.tile(label).getByLabel(/, camera$/);
        await video.waitFor();
        assert.ok(await watch(video) > 0, label);
        assert.ok(await who.tile(label).locator('.avatar').isHidden());
      }
    });

    test('sound flows both ways, and who speaks is marked, without motion for who wants none', async () => {
      const marks = [seesSpeaker(ada, { moving: true }), seesSpeaker(grace, { moving: false })];
      await ada.turn('Microphone', true);
      await grace.turn('Microphone', true);
      await Promise.all(marks);
      for (const [who, label] of [[ada, 'Grace Hopper'], [grace, 'Ada Lovelace']]) {
        await who.tile(label).getByTitle(/^(microphone on|speaking)$/).waitFor();
        assert.ok(await listen(who.tile(label).locator('audio')) > 0, label);
      }
      assert.equal(await ada.tile('Ada Lovelace (you)').locator('audio').evaluate((audio) => audio.srcObject), null, 'no echo of oneself');
      await shoot(ada, 'cameras');
    });

    test('a screen is shared, and no longer', async () => {
      await ada.turn('Screen share', true);
      const tile = grace.tile('Screen of Ada Lovelace');
      assert.ok(await watch(tile.locator('video')) > 0);
      assert.equal(await color(tile, 'borderTopColor'), toRgb(known.get('Ada Lovelace').attributes.color));
      await shoot(grace, 'screen');
      await ada.turn('Screen share', false);
      await tile.waitFor({ state: 'detached' });
    });

    test('what is switched off shows', async () => {
      await grace.turn('Microphone', false);
      await grace.turn('Camera', false);
      const tile = ada.tile('Grace Hopper');
      await tile.getByTitle('microphone off').waitFor();
      await tile.locator('.avatar').waitFor();
      assert.ok(await tile.locator('video').isHidden());
    });

    test('the server is gone: reconnecting; it is back: so are both', async () => {
      await livekit.stop('SIGKILL');
      for (const who of [ada, grace]) await reads(who.state, 'Connection lost, reconnecting…');
      await shoot(grace, 'reconnecting');
      livekit = await startLiveKit({ port: livekitPort });
      for (const who of [ada, grace]) await reads(who.state, 'In standup as');
      assert.ok(await watch(grace.tile('Ada Lovelace').getByLabel(/, camera$/)) > 0);
      await eventually('two tiles', async () => await ada.tiles.count() === 2);
    });

    test('who leaves is gone', async () => {
      await grace.leave();
      await reads(ada.happened, 'Grace Hopper left.');
      assert.equal(await ada.tiles.count(), 1);
      assert.equal(await grace.tiles.count(), 0);
      assert.ok(await grace.trouble.isHidden());
      assert.deepEqual([...(await participants('standup')).keys()], ['Ada Lovelace']);
    });

    test('who is removed is told, and asks for a new token to come back', async () => {
      const asked = ada.asked.length;
      await livekit.rooms.removeParticipant('standup', 'ada@example.com');
      await reads(ada.trouble, 'You were removed from the room.');
      await shoot(ada, 'removed');
      await ada.button('Join again').click();
      await reads(ada.state, 'In standup');
      assert.equal(ada.asked.length, asked + 1);
    });

    test('a room that is closed says so', async () => {
      await livekit.rooms.deleteRoom('standup');
      await reads(ada.trouble, 'The room was closed.');
    });

    test('nothing went wrong unseen', () => {
      for (const { exceptions, complaints } of [ada, grace]) {
        assert.deepEqual(exceptions, []);
        assert.deepEqual(complaints.filter((text) => text.includes('Content Security Policy')), []);
      }
    });
  });

  describe('one person in two tabs', () => {
    let first;
    let second;
    before(async () => {
      first = await visitors.visit();
      second = await first.tab();
      await first.enter('Ada', 'desk');
    });
    after(() => first?.close());

    test('the newer stays, and the older is told why', async () => {
      await second.enter('Ada', 'desk');
      const words = await reads(first.trouble, 'You joined from another tab or device.');
      assert.ok(words.includes('PARTICIPANT_DEVICES=true'), words);
      assert.equal(await second.tiles.count(), 1);
      await shoot(first, 'second-tab');
    });

    test('a tab that is a device of its own joins beside the other', async () => {
      await first.enter('Ada', 'desk', { device: true });
      const label = /^Ada Lovelace device [0-9a-f]{8}$/;
      await second.tiles.getByText(label).waitFor();
      assert.equal(await first.tiles.count(), 2);
      assert.equal(await second.state.innerText(), 'In desk as Ada Lovelace, participant');
      const { participant_identity: identity } = JSON.parse(first.asked.at(-1));
      assert.match(identity, /^ada@example\.com:[0-9a-f]{8}$/);
      const [one, other] = await livekit.rooms.listParticipants('desk');
      assert.deepEqual([one.identity, other.identity].sort(), ['ada@example.com', identity]);
      assert.equal(one.attributes.color, other.attributes.color);
      await shoot(first, 'two-devices');

      await first.leave();
      await eventually('one tile', async () => await second.tiles.count() === 1);
    });
  });

  describe('for everybody', () => {
    let visitor;
    before(async () => {
      visitor = await visitors.visit();
      await shoot(visitor, 'start');
    });
    after(() => visitor?.close());

    test('by keyboard alone: sign in, join, switch, leave, join again', async () => {
      const { keyboard } = visitor.page;
      const next = async (name) => {
        await keyboard.press('Tab');
        assert.deepEqual(await tabStop(visitor), { name, visible: true });
      };
      await next('Ada Lovelace, admin of acme 201, with name and picture');
      await keyboard.press('ArrowDown');
      assert.deepEqual(await tabStop(visitor), { name: 'Grace Hopper, member of acme 201, with a name', visible: true });
      await next('Room name');
      await keyboard.press('ControlOrMeta+a');
      await keyboard.type('keys');
      await next('This tab is a device of its own');
      await next('Join');
      await keyboard.press('Enter');
      await reads(visitor.state, 'In keys as Grace Hopper');
      for (const name of ['Microphone', 'Camera', 'Screen share']) await next(name);
      await keyboard.press('Shift+Tab');
      await keyboard.press('Space');
      await eventually('the camera is on', async () => await visitor.switch('Camera').getAttribute('aria-checked') === 'true');
      await next('Screen share');
      await next('Leave');
      await keyboard.press('Enter');
      await reads(visitor.state, 'You left the room');
      assert.deepEqual(await tabStop(visitor), { name: 'Join', visible: true });
      await keyboard.press('Enter');
      await reads(visitor.state, 'In keys as Grace Hopper');
      await livekit.rooms.removeParticipant('keys', 'grace@example.com');
      await reads(visitor.trouble, 'You were removed');
      assert.deepEqual(await tabStop(visitor), { name: 'Join again', visible: true });
      await keyboard.press('Enter');
      await reads(visitor.state, 'In keys as Grace Hopper');
    });

    test('every button, field, list and picture has a name', async () => {
      await visitor.turn('Camera', true);
      await visitor.tiles.getByLabel('Grace Hopper, camera').waitFor();
      assert.deepEqual(await namelessParts(visitor), []);
    });

    for (const colorScheme of ['light', 'dark']) {
      test(`all text stands out by 4.5:1, ${colorScheme}`, async () => {
        await visitor.page.emulateMedia({ colorScheme });
        const seen = await contrasts(visitor);
        assert.ok(seen.length > 60, `${seen.length} texts`);
        assert.deepEqual(seen.filter(({ ratio }) => ratio < 4.5), []);
      });
    }

    test('on a narrow screen nothing sticks out', async () => {
      await visitor.page.setViewportSize({ width: 380, height: 800 });
      assert.ok(await visitor.page.evaluate(() => document.documentElement.scrollWidth) <= 380);
    });
  });
});

describe('the page with a policy', () => {
  withExample(() => ({
    LIVEKIT_URL: livekit.url,
    PARTICIPANT_DEVICES: 'false',
    POLICY: `
      [[allow]]
      when = { org_role = "org:admin" }
      rooms = ["*"]
      role = "host"

      [[allow]]
      when = { org_id = "acme" }
      rooms = ["{org_id}:*"]
      role = "speaker"

      [[allow]]
      rooms = ["acme:*"]
      role = "viewer"

      [roles.speaker]
      can_publish_sources = ["microphone"]
    `,
  }));
  let ada;
  let nemo;
  before(async () => {
    [ada, nemo] = [await visitors.visit(), await visitors.visit()];
    await ada.enter('Ada', 'acme:stage');
    await ada.turn('Camera', true);
  });
  after(() => Promise.all([ada?.close(), nemo?.close()]));

  test('a viewer has no switches, is told why, and sees the others', async () => {
    await nemo.enter('Nemo', 'acme:stage');
    assert.ok(await watch(nemo.tile('Ada Lovelace').getByLabel(/, camera$/)) > 0);
    assert.deepEqual(await nemo.switches.allInnerTexts(), []);
    assert.equal(await nemo.room.locator('#refused').innerText(),
      'The role “viewer” lets you watch and listen, and send nothing: no microphone, camera or screen share.');
    assert.deepEqual(await ada.switches.allInnerTexts(), ['Microphone', 'Camera', 'Screen share']);
    assert.ok(await ada.room.locator('#refused').isHidden());
    await shoot(nemo, 'viewer');
  });

  test('who may only speak has the microphone alone', async () => {
    const grace = await visitors.visit();
    await grace.enter('Grace', 'acme:stage');
    assert.deepEqual(await grace.switches.allInnerTexts(), ['Microphone']);
    assert.equal(await grace.room.locator('#refused').innerText(), 'The role “speaker” does not let you send: camera, screen share.');
    await grace.leave();
    await grace.close();
    await eventually('two tiles', async () => await nemo.tiles.count() === 2);
  });

  test('a permission that is given later shows at once', async () => {
    await livekit.rooms.updateParticipant('acme:stage', 'nemo@example.com', { permission: { canPublish: true, canSubscribe: true } });
    await nemo.switch('Camera').waitFor();
    assert.ok(await nemo.room.locator('#refused').isHidden());
  });

  test('a room that no rule allows', async () => {
    await nemo.leave();
    await nemo.join('Nemo', 'standup');
    assert.match(await reads(nemo.trouble, 'room_not_allowed'), /What it means and what to do/);
  });

  test('a device of its own is refused, and the words name the variable', async () => {
    await nemo.join('Nemo', 'acme:stage', { device: true });
    assert.match(await reads(nemo.trouble, 'field_not_allowed'), /needs PARTICIPANT_DEVICES=true/);
  });
});
