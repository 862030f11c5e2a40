// The pages of `cargo run --example dev` in Chromium: a host invites guests to a call on a LiveKit server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  claimsOf, GUEST_PAGE, invite, join, ROOM, ROOM_PATH, sign, visit, withGuests,
} from './support/guests.js';
import { assertNoErrors, reads } from './support/page.js';
import { contrasts, namelessParts, shoot, tabStop, toRgb } from './support/page_looks.js';
import { eventually } from './support/processes.js';

const suite = withGuests();
const { example, participants, guests } = suite;

describe('guests without a waiting room', () => {
  example();
  let ada;
  let grace;
  let lin;
  let link;
  before(async () => {
    [ada, grace] = [await suite.visitors.visit(), await suite.visitors.visit()];
    await ada.enter('Ada', ROOM);
    await grace.enter('Grace', ROOM);
    await ada.sees(2);
  });
  after(() => Promise.all([ada?.close(), grace?.close(), lin?.close()]));

  test('host creates a link with the invitation in its fragment', async () => {
    const { request, body, answer, ...invited } = await invite(ada, { role: 'viewer' });
    ({ link } = invited);
    assert.equal(request, `POST ${ROOM_PATH}/invitations`);
    assert.deepEqual(body, { role: 'viewer', seconds: 3600 });
    assert.equal(link, `${GUEST_PAGE}#${answer.invitation}`);
    assert.ok(link.length <= 600, `${link.length} characters`);
    await ada.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await ada.button(await ada.page.getByRole('button', { name: /^Copy link/ }).getAttribute('aria-label')).click();
    assert.equal(await ada.page.evaluate(() => navigator.clipboard.readText()), link);
    await shoot(ada, 'invite');
  });

  test('participant can neither invite nor admit', async () => {
    assert.ok(await grace.page.locator('#invite').isHidden());
    assert.ok(await grace.page.locator('#waiting').isHidden());
  });

  test('guest joins with a name and the role of the invitation', async () => {
    lin = await suite.visitors.visit({ link });
    await shoot(lin, 'guest');
    await lin.close();
    lin = await visit(suite.visitors, link, 'Lin <b>');
    await reads(lin.state, `In ${ROOM} as Lin <b>, viewer`);
    await ada.sees(3);
    for (const who of [ada, grace]) await reads(who.entry('Lin <b>'), 'guest, viewer');
    await ada.tile(/^Lin <b>\s*guest$/).waitFor();
    const [{ identity, name, attributes, permission }] = await guests();
    assert.match(identity, /^guest:[\w-]{22}$/);
    assert.deepEqual([name, attributes.guest, attributes.role, permission.canPublish], ['Lin <b>', 'true', 'viewer', false]);
    await shoot(lin, 'guest-in-room');
  });

  test('guest has the media that the role allows, and no requests to roomkey', async () => {
    assert.deepEqual(await lin.switches.allInnerTexts(), []);
    for (const name of ['Raise hand', 'Invite', 'List participants']) assert.equal(await lin.button(name).count(), 0);
    assert.ok(await lin.tile('Ada Lovelace').isVisible());
  });

  test('invitation is in no URL that the guest page requests', () => {
    const [, invitation] = link.split('#');
    assert.ok(lin.urls.some((url) => url.endsWith('/token')), lin.urls.join('\n'));
    assert.deepEqual(lin.urls.filter((url) => url.includes(invitation)), []);
  });

  test('guest keeps identity and color after a reload', async () => {
    const [first] = await guests();
    await lin.page.reload();
    await join(lin, 'Lin');
    await reads(lin.state, `In ${ROOM} as Lin, viewer`);
    const again = await eventually('one guest', async () => (await guests()).find(({ name }) => name === 'Lin'));
    assert.deepEqual([again.identity, again.attributes.color], [first.identity, first.attributes.color]);
    const frame = await ada.tile(/^Lin\s*guest$/).evaluate((tile) => getComputedStyle(tile).borderTopColor);
    assert.equal(frame, toRgb(first.attributes.color));
  });

  test('second guest has another identity and the name of the invitation', async () => {
    const { link: named, body } = await invite(ada, { name: 'Dr. Noether' });
    assert.equal(body.name, 'Dr. Noether');
    const emmy = await visit(suite.visitors, named);
    assert.equal(await emmy.page.getByLabel('Your name').getAttribute('readonly'), '');
    await reads(emmy.state, `In ${ROOM} as Dr. Noether, participant`);
    await eventually('two guests', async () => new Set((await guests()).map(({ identity }) => identity)).size === 2);
    assert.deepEqual(await emmy.switches.allInnerTexts(), ['Microphone', 'Camera', 'Screen share']);
    await emmy.leave();
    await emmy.close();
  });

  test('removed guest joins again with the same link', async () => {
    await ada.act('Remove Lin', 'Remove Lin');
    await reads(lin.trouble, 'You were removed from the room.');
    await lin.button('Join again').click();
    await reads(lin.state, `In ${ROOM} as Lin`);
  });

  test('banned guest receives no token with the same link', async () => {
    const entry = ada.entry('Lin');
    await entry.locator('summary').click();
    await ada.act('Ban Lin', 'Ban Lin');
    await reads(lin.trouble, 'You were removed from the room.');
    await lin.button('Join again').click();
    await reads(lin.trouble, 'You may not join this room again.');
  });

  const refused = [
    ['an expired link', () => sign({ seconds: -1 }), 'This link has expired. Ask the host for another one.'],
    ['a link of another deployment', () => sign({ seconds: 60, secret: 'an invitation secret of another one' }), 'invalid_token'],
    ['a link with a changed role', async () => {
      const invitation = (await sign({ seconds: 60 })).split('#')[1].split('.');
      const claims = { ...claimsOf(`${GUEST_PAGE}#${invitation.join('.')}`), role: 'host' };
      invitation[1] = Buffer.from(JSON.stringify(claims)).toString('base64url');
      return `${GUEST_PAGE}#${invitation.join('.')}`;
    }, 'invalid_token'],
  ];
  for (const [what, makeLink, words] of refused) {
    test(`guest page explains ${what}`, async () => {
      const guest = await visit(suite.visitors, await makeLink(), 'Kurt');
      await reads(guest.trouble, words);
      assert.ok(await guest.button('Join').isEnabled());
      assert.equal((await guests()).some(({ name }) => name === 'Kurt'), false);
      await guest.close();
    });
  }

  test('guest page explains a link without an invitation', async () => {
    for (const link of [GUEST_PAGE, `${GUEST_PAGE}#abc`]) {
      const guest = await suite.visitors.visit({ link });
      await reads(guest.trouble, 'The link has no invitation.');
      assert.ok(await guest.button('Join').isDisabled());
      await guest.close();
    }
  });

  test('console has no unexpected errors', () => assertNoErrors([ada, grace, lin]));
});

describe('accessibility of the guest page', () => {
  example();
  let guest;
  before(async () => { guest = await suite.visitors.visit({ link: await sign({ seconds: 600, role: 'participant' }) }); });
  after(() => guest?.close());

  test('guest page works with the keyboard only', async () => {
    const { keyboard } = guest.page;
    const next = async (name) => {
      await keyboard.press('Tab');
      assert.deepEqual(await tabStop(guest), { name, visible: true });
    };
    await next('Your name');
    await keyboard.type('Grace');
    await keyboard.press('Enter');
    await reads(guest.state, `In ${ROOM} as Grace, participant`);
    for (const name of ['Microphone', 'Camera', 'Screen share', 'Leave']) await next(name);
    await keyboard.press('Enter');
    await reads(guest.state, 'You left the room');
    assert.deepEqual(await tabStop(guest), { name: 'Join', visible: true });
    await keyboard.press('Enter');
    await reads(guest.state, `In ${ROOM} as Grace, participant`);
  });

  test('every button, field and list has an accessible name', async () => {
    await guest.turn('Camera', true);
    await guest.tiles.getByLabel('Grace, camera').waitFor();
    assert.deepEqual(await namelessParts(guest, ['button', 'switch', 'textbox', 'region', 'Video']), []);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`text has a contrast of at least 4.5:1 in the ${colorScheme} scheme`, async () => {
      await guest.page.emulateMedia({ colorScheme });
      const seen = await contrasts(guest);
      for (const text of ['Your name', 'Leave', 'guest', 'Everyone in the room sees it.']) assert.ok(seen.some((one) => one.text === text), text);
      assert.deepEqual(seen.filter(({ ratio }) => ratio < 4.5), []);
    });
  }

  test('narrow screen has no horizontal overflow', async () => {
    await guest.page.setViewportSize({ width: 380, height: 800 });
    assert.ok(await guest.page.evaluate(() => document.documentElement.scrollWidth) <= 380);
  });
});
