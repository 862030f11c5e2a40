// The pages of `cargo run --example dev` in Chromium: people wait until a host admits them to a call on a LiveKit server.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  claimsOf, invite, join, ROOM, ROOM_PATH, sign, visit, withGuests,
} from './support/guests.js';
import { assertNoErrors, reads } from './support/page.js';
import { contrasts, namelessParts, shoot, tabStop, toRgb } from './support/page_looks.js';

const suite = withGuests();
const { example, participants, guests } = suite;

describe('guests with a waiting room', () => {
  example();
  const WAIT = 'guests wait until a host admits them';
  const UNTIL_HOST = 'guests wait until a host is in the room';
  let ada;
  let grace;
  let lin;
  let kurt;
  let link;
  before(async () => {
    [ada, grace] = [await suite.visitors.visit(), await suite.visitors.visit()];
    // Without the regular requests, this page reads the list only after data messages and its own decisions.
    await ada.page.addInitScript(() => {
      const start = window.setInterval;
      window.setInterval = (callback, ...rest) => start(String(callback).includes('#read') ? () => {} : callback, ...rest);
    });
    await ada.page.reload();
    await ada.enter('Ada', ROOM);
    await grace.enter('Grace', ROOM);
    await ada.sees(2);
  });
  after(() => Promise.all([ada, grace, lin, kurt].map((who) => who?.close())));

  const list = (host) => host.page.getByRole('list', { name: 'Waiting people' }).getByRole('listitem');
  const count = (host) => host.page.locator('#waiting-count');
  const waits = (guest) => reads(guest.state, 'Waiting to be let in…');

  test('guest waits without presence in LiveKit', async () => {
    const { link: created, body } = await invite(ada, { waiting: WAIT });
    link = created;
    assert.equal(body.lobby, true);
    await reads(count(ada), 'Nobody is waiting.');
    lin = await visit(suite.visitors, link, 'Lin');
    await waits(lin);
    await reads(lin.happened, 'A host decides who enters. Keep this page open.');
    const people = await participants();
    assert.deepEqual(people.map(({ identity }) => identity).sort(), ['ada@example.com', 'grace@example.com']);
    assert.deepEqual(lin.urls.filter((url) => url.startsWith(suite.livekit.url) || url.startsWith(suite.livekit.httpUrl)), []);
    await shoot(lin, 'waiting');
  });

  test('data message shows the host who waits, and nobody else', async () => {
    kurt = await visit(suite.visitors, link, 'Kurt <i>');
    await waits(kurt);
    await reads(count(ada), '2 people are waiting.');
    const entries = await list(ada).allInnerTexts();
    assert.deepEqual(entries.map((text) => text.split(' since')[0]), ['Lin', 'Kurt <i>']);
    assert.ok(await grace.page.locator('#waiting').isHidden());
    await shoot(ada, 'waiting-list');
  });

  test('admitted guest enters with the color of the list', async () => {
    const color = await list(ada).first().locator('.badge').evaluate((badge) => getComputedStyle(badge).backgroundColor);
    const { request, body, status } = await ada.act('Admit Lin', 'Admit Lin');
    assert.match(request, new RegExp(`^POST ${ROOM_PATH}/waiting/guest%3A[\\w-]{22}$`));
    assert.deepEqual([body, status], [{ admit: true }, '204 No Content']);
    await reads(lin.state, `In ${ROOM} as Lin, participant`);
    await reads(count(ada), '1 person is waiting.');
    const [{ attributes }, ...others] = await guests();
    assert.deepEqual(others, []);
    assert.equal(toRgb(attributes.color), color);
  });

  test('second host sees the decision of the first', async () => {
    const second = await ada.tab();
    await second.enter('Ada', ROOM, { device: true });
    await reads(list(second), 'Kurt <i>');
    await second.leave();
    await second.page.close();
  });

  test('admitted guest reloads without waiting again, and keeps identity and color', async () => {
    const [first] = await guests();
    await lin.page.reload();
    await join(lin, 'Lin');
    await reads(lin.state, `In ${ROOM} as Lin, participant`);
    const [again] = await guests();
    assert.deepEqual([again.identity, again.attributes.color], [first.identity, first.attributes.color]);
  });

  test('refused guest reads it and does not enter', async () => {
    const { body, status } = await ada.act('Refuse Kurt <i>', 'Refuse Kurt <i>');
    assert.deepEqual([body, status], [{ admit: false }, '204 No Content']);
    await reads(kurt.trouble, 'You were not let in. A host refused the request.');
    await reads(kurt.state, 'Not in a room');
    await reads(count(ada), 'Nobody is waiting.');
    assert.equal((await tabStop(kurt)).name, 'Join again');
    await kurt.button('Join again').click();
    await reads(kurt.trouble, 'You were not let in.');
    assert.equal((await guests()).length, 1);
    await shoot(kurt, 'refused-guest');
  });

  test('waiting can be canceled', async () => {
    const guest = await visit(suite.visitors, link, 'Emmy');
    await waits(guest);
    await guest.button('Cancel').click();
    await reads(guest.state, 'Not in a room');
    assert.ok(await guest.trouble.isHidden());
    assert.ok(await guest.button('Join').isEnabled());
    const sent = guest.asked.length;
    await guest.page.waitForTimeout(4_000);
    assert.equal(guest.asked.length, sent, 'no request after the cancellation');
    await guest.close();
  });

  test('invitation that expires ends the waiting', async () => {
    const guest = await visit(suite.visitors, await sign({ seconds: 8, lobby: true }), 'Emil');
    await waits(guest);
    await reads(guest.trouble, 'This link has expired. Ask the host for another one.');
    await guest.close();
  });

  test('revoked invitation ends the waiting', async () => {
    const { link: revoked } = await invite(ada, { name: 'Alan', waiting: WAIT });
    const guest = await visit(suite.visitors, revoked);
    await waits(guest);
    await reads(list(ada).filter({ hasText: 'Alan' }), 'Alan');
    const label = await ada.page.getByRole('button', { name: /^Revoke: Alan/ }).getAttribute('aria-label');
    const { request, status } = await ada.act(label, 'Revoke an invitation');
    assert.deepEqual([request, status], [`DELETE ${ROOM_PATH}/invitations/${claimsOf(revoked).jti}`, '204 No Content']);
    await reads(guest.trouble, 'This link is no longer valid. Ask the host for another one.');
    assert.equal((await guests()).length, 1);
    await guest.close();
  });

  test('guest of until-host enters while a host is in the room, and waits otherwise', async () => {
    const { link: early, body } = await invite(ada, { waiting: UNTIL_HOST });
    assert.equal(body.lobby, 'until-host');
    await ada.leave();
    const guest = await visit(suite.visitors, early, 'Max');
    await waits(guest);
    assert.equal((await guests()).some(({ name }) => name === 'Max'), false);
    await ada.enter('Ada', ROOM);
    await reads(guest.state, `In ${ROOM} as Max, participant`);
    await list(ada).filter({ hasText: 'Max' }).waitFor({ state: 'detached' });
    await guest.close();
  });

  test('waiting room works with the keyboard and has accessible names', async () => {
    const guest = await visit(suite.visitors, await sign({ seconds: 600, lobby: true, role: 'participant' }), 'Rosa');
    await waits(guest);
    assert.equal((await tabStop(guest)).name, 'Room');
    await guest.page.keyboard.press('Tab');
    assert.deepEqual(await tabStop(guest), { name: 'Cancel', visible: true });
    await reads(list(ada).filter({ hasText: 'Rosa' }), 'Rosa');
    await ada.page.bringToFront();
    assert.deepEqual(await namelessParts(ada, ['button', 'switch', 'radio', 'textbox', 'region']), []);
    for (const colorScheme of ['light', 'dark']) {
      await ada.page.emulateMedia({ colorScheme });
      const seen = await contrasts(ada);
      for (const text of ['Rosa', 'Admit', 'Refuse', 'Invite']) assert.ok(seen.some((one) => one.text === text), text);
      assert.deepEqual(seen.filter(({ ratio }) => ratio < 4.5), []);
    }
    await ada.button('Admit Rosa').focus();
    await ada.page.keyboard.press('Enter');
    await reads(guest.state, `In ${ROOM} as Rosa`);
    await reads(count(ada), /waiting/);
    assert.match((await tabStop(ada)).name, /^(Waiting room|Admit .+)$/);
    await guest.close();
  });

  test('console has no unexpected errors', () => assertNoErrors([ada, grace, lin, kurt]));
});

describe('a signed-in person with a waiting room', () => {
  example({
    POLICY: `
      [[allow]]
      when = { org_role = "org:admin" }
      rooms = ["*"]
      role = "host"

      [[allow]]
      rooms = ["*"]
      role = "participant"
      lobby = true
    `,
  });

  test('person waits on the page, and enters as a separate device when admitted', async () => {
    const [ada, grace] = [await suite.visitors.visit(), await suite.visitors.visit()];
    await ada.enter('Ada', ROOM);
    await grace.join('Grace', ROOM, { device: true });
    await reads(grace.state, 'Waiting to be let in…');
    assert.deepEqual((await participants()).filter(({ identity }) => identity.startsWith('grace')), []);
    await ada.button('Admit Grace Hopper').click();
    await reads(grace.state, `In ${ROOM} as Grace Hopper, participant`);
    await Promise.all([ada.close(), grace.close()]);
  });
});
