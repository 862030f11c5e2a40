// The page of `cargo run --example dev` in Chromium, with calls on a LiveKit server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startLiveKit } from './support/livekit_server.js';
import { assertNoErrors, buildExample, listen, reads, seesSpeaker, startVisitors, watch, withExample } from './support/page.js';
import { contrasts, namelessParts, shoot, tabStop, toRgb } from './support/page_looks.js';
import { eventually, freePort } from './support/processes.js';

const NOBODY_ELSE = 'No other participant is here';

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

  describe('two participants', () => {
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

    test('page announces the other participant', async () => {
      await reads(ada.happened, 'Grace Hopper joined.');
      await reads(grace.happened, 'Already in the room: Ada Lovelace.');
    });

    test('tile shows name, presence color, and picture or initials', async () => {
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

    test('page shows the token of the connection', async () => {
      const answer = await ada.page.locator('#answer').innerText();
      for (const words of ['Token of this connection', 'ada@example.com', known.get('Ada Lovelace').attributes.color]) {
        assert.ok(answer.includes(words), `${words} in ${answer}`);
      }
    });

    test('video is sent in both directions', async () => {
      await ada.turn('Camera', true);
      await grace.turn('Camera', true);
      for (const [who, label] of [[ada, 'Grace Hopper'], [grace, 'Ada Lovelace'], [ada, 'Ada Lovelace (you)']]) {
        const video = who.tile(label).getByLabel(/, camera$/);
        await video.waitFor();
        assert.ok(await watch(video) > 0, label);
        assert.ok(await who.tile(label).locator('.avatar').isHidden());
      }
    });

    test('audio is sent in both directions and speakers are marked, without animation if motion is reduced', async () => {
      const marks = [seesSpeaker(ada, { moving: true }), seesSpeaker(grace, { moving: false })];
      await ada.turn('Microphone', true);
      await grace.turn('Microphone', true);
      await Promise.all(marks);
      for (const [who, label] of [[ada, 'Grace Hopper'], [grace, 'Ada Lovelace']]) {
        await who.tile(label).getByTitle(/^(microphone on|speaking)$/).waitFor();
        assert.ok(await listen(who.tile(label).locator('audio')) > 0, label);
      }
      assert.equal(await ada.tile('Ada Lovelace (you)').locator('audio').evaluate((audio) => audio.srcObject), null, 'no audio of the own microphone');
      await shoot(ada, 'cameras');
    });

    test('screen share appears and disappears', async () => {
      await ada.turn('Screen share', true);
      const tile = grace.tile('Screen of Ada Lovelace');
      assert.ok(await watch(tile.locator('video')) > 0);
      assert.equal(await color(tile, 'borderTopColor'), toRgb(known.get('Ada Lovelace').attributes.color));
      await shoot(grace, 'screen');
      await ada.turn('Screen share', false);
      await tile.waitFor({ state: 'detached' });
    });

    test('tile shows a disabled microphone and camera', async () => {
      await grace.turn('Microphone', false);
      await grace.turn('Camera', false);
      const tile = ada.tile('Grace Hopper');
      await tile.getByTitle('microphone off').waitFor();
      await tile.locator('.avatar').waitFor();
      assert.ok(await tile.locator('video').isHidden());
    });

    test('participants reconnect after an outage of the server', async () => {
      await livekit.stop('SIGKILL');
      for (const who of [ada, grace]) await reads(who.state, 'Connection lost, reconnecting…');
      await shoot(grace, 'reconnecting');
      livekit = await startLiveKit({ port: livekitPort });
      for (const who of [ada, grace]) await reads(who.state, 'In standup as');
      assert.ok(await watch(grace.tile('Ada Lovelace').getByLabel(/, camera$/)) > 0);
      await eventually('two tiles', async () => await ada.tiles.count() === 2);
    });

    test('tile disappears when its participant leaves', async () => {
      await grace.leave();
      await reads(ada.happened, 'Grace Hopper left.');
      assert.equal(await ada.tiles.count(), 1);
      assert.equal(await grace.tiles.count(), 0);
      assert.ok(await grace.trouble.isHidden());
      assert.deepEqual([...(await participants('standup')).keys()], ['Ada Lovelace']);
    });

    test('removed participant sees a message and joins again with a new token', async () => {
      const asked = ada.asked.length;
      await livekit.rooms.removeParticipant('standup', 'ada@example.com');
      await reads(ada.trouble, 'You were removed from the room.');
      await shoot(ada, 'removed');
      await ada.button('Join again').click();
      await reads(ada.state, 'In standup');
      assert.equal(ada.asked.length, asked + 1);
    });

    test('page shows a message when the room is closed', async () => {
      await livekit.rooms.deleteRoom('standup');
      await reads(ada.trouble, 'The room was closed.');
    });

    test('console has no unexpected errors', () => assertNoErrors([ada, grace]));
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

    test('second tab replaces the first, which shows a message', async () => {
      await second.enter('Ada', 'desk');
      const words = await reads(first.trouble, 'You joined from another tab or device.');
      assert.ok(words.includes('PARTICIPANT_DEVICES=true'), words);
      assert.equal(await second.tiles.count(), 1);
      await shoot(first, 'second-tab');
    });

    test('tab as a separate device joins without ending the other', async () => {
      await first.enter('Ada', 'desk', { device: true });
      const label = /^Ada Lovelace device [0-9a-f]{8}$/;
      await second.tiles.getByText(label).waitFor();
      assert.equal(await first.tiles.count(), 2);
      assert.equal(await second.state.innerText(), 'In desk as Ada Lovelace, host');
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

  describe('accessibility', () => {
    let visitor;
    before(async () => {
      visitor = await visitors.visit();
      await shoot(visitor, 'start');
    });
    after(() => visitor?.close());

    test('page works with the keyboard only', async () => {
      const { keyboard } = visitor.page;
      const next = async (name) => {
        await keyboard.press('Tab');
        assert.deepEqual(await tabStop(visitor), { name, visible: true });
      };
      await next('Ada Lovelace, admin of acme 201, host, with name and picture');
      await keyboard.press('ArrowDown');
      assert.deepEqual(await tabStop(visitor), { name: 'Grace Hopper, member of acme 201, participant, with a name', visible: true });
      await next('Room name');
      await keyboard.press('ControlOrMeta+a');
      await keyboard.type('keys');
      await next('Join as a separate device');
      await next('Join');
      await keyboard.press('Enter');
      await reads(visitor.state, 'In keys as Grace Hopper');
      for (const name of ['Microphone', 'Camera', 'Screen share']) await next(name);
      await keyboard.press('Shift+Tab');
      await keyboard.press('Space');
      await eventually('the camera is on', async () => await visitor.switch('Camera').getAttribute('aria-checked') === 'true');
      await next('Screen share');
      await next('Raise hand');
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

    test('every button, field, list and picture has an accessible name', async () => {
      await visitor.turn('Camera', true);
      await visitor.tiles.getByLabel('Grace Hopper, camera').waitFor();
      assert.deepEqual(await namelessParts(visitor), []);
    });

    for (const colorScheme of ['light', 'dark']) {
      test(`text has a contrast of at least 4.5:1 in the ${colorScheme} scheme`, async () => {
        await visitor.page.emulateMedia({ colorScheme });
        const seen = await contrasts(visitor);
        assert.ok(seen.length > 60, `${seen.length} texts`);
        assert.deepEqual(seen.filter(({ ratio }) => ratio < 4.5), []);
      });
    }

    test('narrow screen has no horizontal overflow', async () => {
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

  test('viewer has no switches, sees the reason, and receives video', async () => {
    await nemo.enter('Nemo', 'acme:stage');
    assert.ok(await watch(nemo.tile('Ada Lovelace').getByLabel(/, camera$/)) > 0);
    assert.deepEqual(await nemo.switches.allInnerTexts(), []);
    assert.equal(await nemo.room.locator('#refused').innerText(),
      'The role “viewer” allows you to watch and listen only, without microphone, camera or screen share.');
    assert.deepEqual(await ada.switches.allInnerTexts(), ['Microphone', 'Camera', 'Screen share']);
    assert.ok(await ada.room.locator('#refused').isHidden());
    await shoot(nemo, 'viewer');
  });

  test('speaker has only the microphone switch', async () => {
    const grace = await visitors.visit();
    await grace.enter('Grace', 'acme:stage');
    assert.deepEqual(await grace.switches.allInnerTexts(), ['Microphone']);
    assert.equal(await grace.room.locator('#refused').innerText(), 'The role “speaker” does not allow: camera, screen share.');
    await grace.leave();
    await grace.close();
    await eventually('two tiles', async () => await nemo.tiles.count() === 2);
  });

  test('page shows a later permission immediately', async () => {
    await livekit.rooms.updateParticipant('acme:stage', 'nemo@example.com', { permission: { canPublish: true, canSubscribe: true } });
    await nemo.switch('Camera').waitFor();
    assert.ok(await nemo.room.locator('#refused').isHidden());
  });

  test('page shows a message for a room that no rule allows', async () => {
    await nemo.leave();
    await nemo.join('Nemo', 'standup');
    assert.match(await reads(nemo.trouble, 'room_not_allowed'), /Meaning and remedy/);
  });

  test('rejection of a separate device names the variable', async () => {
    await nemo.join('Nemo', 'acme:stage', { device: true });
    assert.match(await reads(nemo.trouble, 'field_not_allowed'), /requires PARTICIPANT_DEVICES=true/);
  });
});
