// Checks of participant tokens with LiveKit's server SDK, and of room configs with its protocol package.
import assert from 'node:assert/strict';
import { RoomConfiguration } from '@livekit/protocol';
import { TokenVerifier } from 'livekit-server-sdk';

export const PALETTE = [
  '#E74C3C', '#8E44AD', '#6C5CE7', '#2E86AB', '#1E3A8A', '#059669', '#D97706', '#DC2626',
  '#7C2D12', '#92400E', '#78350F', '#374151', '#0D9488', '#7C3AED', '#5B21B6',
];

/** All grants of a plain participant, which apply to the room only. */
const PARTICIPANT = {
  roomJoin: true,
  canPublish: true,
  canPublishData: true,
  canSubscribe: true,
  canUpdateOwnMetadata: false,
};
const PAST_THE_ROOM = ['roomCreate', 'roomList', 'roomRecord', 'roomAdmin', 'ingressAdmin', 'agent', 'hidden', 'recorder'];
const SOURCES = ['camera', 'microphone', 'screen_share', 'screen_share_audio'];

/**
 * Checks a 201 response and returns the claims. `expected` has identity and name, and optionally room,
 * server, key, secret, metadata, attributes and ttl.
 */
export async function judge(answer, expected) {
  assert.equal(answer.status, 201, `status ${answer.status}: ${answer.bytes}`);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  return judgeAnswer(answer.json, expected);
}

/** Checks only the body of a response, for clients that expose nothing else. */
export async function judgeAnswer(body, expected) {
  const { server_url, participant_token, room_name, participant_name } = body;
  const { server = 'ws://127.0.0.1:7880', ...rest } = expected;
  assert.equal(server_url, server);
  const claims = await judgeToken(participant_token, rest);
  assert.equal(room_name, claims.video.room);
  assert.equal(participant_name, expected.name);
  return claims;
}

/** Checks the participant token itself. */
export async function judgeToken(token, expected) {
  const { key = 'devkey', secret = 'secret', identity, name, room, ttl = 600 } = expected;
  const claims = await new TokenVerifier(key, secret).verify(token);
  await assert.rejects(new TokenVerifier(key, `${secret}x`).verify(token), /signature/i);

  assert.equal(claims.iss, key);
  assert.equal(claims.sub, identity);
  assert.equal(claims.name, name);
  for (const date of ['nbf', 'iat', 'exp']) assert.ok(Number.isInteger(claims[date]), date);
  assert.equal(claims.nbf, claims.iat);
  assert.equal(claims.exp - claims.iat, ttl);
  assert.ok(Math.abs(claims.iat - Date.now() / 1000) < 30, 'issued now');
  assert.ok(claims.jti, 'jti');

  const { video } = claims;
  for (const [grant, value] of Object.entries(PARTICIPANT)) assert.equal(video[grant], value, grant);
  for (const grant of PAST_THE_ROOM) assert.ok(!video[grant], grant);
  assert.equal(claims.kind, undefined);
  assert.equal(claims.sip, undefined);
  if (video.canPublishSources !== undefined) {
    assert.ok(video.canPublishSources.length > 0, 'an empty list would allow every source');
    for (const source of video.canPublishSources) assert.ok(SOURCES.includes(source), source);
  }
  if (room) assert.equal(video.room, room);
  else assert.match(video.room, /room-\S{20,}/, 'a new room with a random name');

  assert.ok(PALETTE.includes(claims.attributes.color), claims.attributes.color);
  assert.equal(claims.attributes.role, 'participant');
  for (const [attribute, value] of Object.entries(expected.attributes ?? {})) {
    assert.equal(claims.attributes[attribute], value, attribute);
  }
  assert.equal(claims.metadata || undefined, expected.metadata);
  judgeRoomConfig(claims.roomConfig);
  return claims;
}

/** Checks that a room config is absent or not empty, and that LiveKit's strict parser accepts it. */
function judgeRoomConfig(roomConfig) {
  if (roomConfig === undefined) return;
  assert.notDeepEqual(roomConfig, {}, 'an empty room config is left out');
  const parsed = RoomConfiguration.fromJson(roomConfig);
  assert.deepEqual(parsed.toJson(), roomConfig, 'only fields that are not the default');
}
