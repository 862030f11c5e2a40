// The server APIs of a LiveKit server accept a host's token for the host's room only.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AccessToken } from 'livekit-server-sdk';
import { person, startMeeting } from './support/meeting.js';
import { eventually } from './support/processes.js';

const POLICY = `
[[allow]]
when = { seat = ["host", "moderator", "viewer"] }
rooms = ["elsewhere"]
role = "host"

[[allow]]
when = { seat = "host" }
rooms = ["*"]
role = "host"

[[allow]]
when = { seat = "moderator" }
rooms = ["*"]
role = "moderator"

[[allow]]
when = { seat = "viewer" }
rooms = ["*"]
role = "viewer"

[[allow]]
when = { seat = "chair" }
rooms = ["*"]
role = "chair"

[[allow]]
rooms = ["*"]
role = "participant"

[roles.chair]
room_admin = true
`;
const SEATS = ['host', 'chair', 'moderator', 'participant', 'viewer'];
const REFUSED = { status: 401, code: 'unauthenticated', msg: 'permissions denied' };

let meeting;
let victim;
let track;
/** Publishes a track and waits until the server lists it. */
async function speak(somebody) {
  const { sid } = await somebody.publish('microphone');
  await eventually('the track is there', async () => {
    const { tracks } = await meeting.livekit.rooms.getParticipant(somebody.room, somebody.identity);
    return tracks.some((one) => one.sid === sid);
  });
  return sid;
}

before(async () => {
  meeting = await startMeeting({ policy: POLICY });
  victim = await meeting.join(person('victim'), { room_name: 'office' });
  track = await speak(victim);
});
after(() => meeting?.stop());

const token = (seat, room) => meeting.token(person(seat, { seat }), { room_name: room });

/** Actions of an administrator in a room. */
const inRoom = (room = 'office', identity = victim.identity, track_sid = track) => ({
  'RoomService/ListParticipants': { room },
  'RoomService/GetParticipant': { room, identity },
  'RoomService/MutePublishedTrack': { room, identity, track_sid, muted: true },
  'RoomService/UpdateParticipant': { room, identity, name: 'Renamed' },
  'RoomService/UpdateSubscriptions': { room, identity, track_sids: [], subscribe: false },
  'RoomService/SendData': { room, data: Buffer.from('hello').toString('base64'), kind: 'RELIABLE' },
  'RoomService/UpdateRoomMetadata': { room, metadata: 'by an administrator' },
  'AgentDispatchService/ListDispatch': { room },
  'AgentDispatchService/CreateDispatch': { room, agent_name: 'notes' },
  'RoomService/RemoveParticipant': { room, identity },
});

/** Actions that no token for a room allows. */
const pastTheRoom = (room = 'office') => ({
  'RoomService/ListRooms': {},
  'RoomService/CreateRoom': { name: 'another' },
  'RoomService/DeleteRoom': { room },
  'Egress/StartRoomCompositeEgress': { room_name: room, file_outputs: [{ filepath: '/tmp/recording.mp4' }] },
  'Egress/StartTrackEgress': { room_name: room, track_id: 'TR_x', websocket_url: 'ws://127.0.0.1:1' },
  'Egress/ListEgress': {},
  'Ingress/CreateIngress': { input_type: 'RTMP_INPUT', name: 'in', room_name: room, participant_identity: 'in' },
  'Ingress/ListIngress': {},
  'SIP/ListSIPOutboundTrunk': {},
  'SIP/CreateSIPParticipant': { sip_trunk_id: 'x', sip_call_to: '+1555', room_name: room },
  'RoomService/ForwardParticipant': { room, identity: 'victim@example.com', destination_room: 'elsewhere' },
  'RoomService/MoveParticipant': { room, identity: 'victim@example.com', destination_room: 'elsewhere' },
});

async function refuses(bearer, calls) {
  for (const [method, body] of Object.entries(calls)) {
    const { status, code, msg } = await meeting.livekit.call(bearer, method, body);
    assert.deepEqual({ status, code, msg }, REFUSED, method);
  }
}

describe('actions beyond the room', () => {
  for (const seat of SEATS) {
    test(seat, async () => refuses(await token(seat, 'office'), pastTheRoom()));
  }

  test('token with the grants is accepted for actions beyond the room', async () => {
    const server = new AccessToken(meeting.livekit.key, meeting.livekit.secret, { identity: 'server' });
    server.addGrant({ room: 'nowhere', roomJoin: true, roomAdmin: true, destinationRoom: 'elsewhere' });
    server.addGrant({ roomCreate: true, roomList: true, roomRecord: true, ingressAdmin: true });
    server.addSIPGrant({ admin: true, call: true });
    const bearer = await server.toJwt();
    // In a room that does not exist, so that the server does not wait for participants.
    await Promise.all(Object.entries(pastTheRoom('nowhere')).map(async ([method, body]) => {
      const { status, msg } = await meeting.livekit.call(bearer, method, body);
      assert.ok(status !== REFUSED.status, `${method}: ${status} ${msg}`);
    }));
  });
});

describe("administration of the own room", () => {
  for (const seat of ['moderator', 'participant', 'viewer']) {
    test(`${seat} cannot administer the room`, async () => {
      await refuses(await token(seat, 'office'), inRoom());
      const { name, tracks } = await meeting.livekit.rooms.getParticipant('office', victim.identity);
      assert.deepEqual([name, tracks.map(({ muted }) => muted)], ['Victim', [false]]);
    });
  }

  test("host of another room cannot administer the room", async () => {
    for (const seat of ['host', 'chair', 'moderator', 'viewer']) {
      await refuses(await token(seat, 'elsewhere'), inRoom());
    }
  });

  for (const seat of ['host', 'chair']) {
    test(`${seat} mutes, renames, sends and removes`, async () => {
      const room = `room of the ${seat}`;
      const guest = await meeting.join(person('guest'), { room_name: room });
      const sid = await speak(guest);
      const bearer = await token(seat, room);
      for (const [method, body] of Object.entries(inRoom(room, guest.identity, sid))) {
        const answer = await meeting.livekit.call(bearer, method, body);
        assert.equal(answer.status, 200, `${method}: ${JSON.stringify(answer)}`);
        if (method === 'RoomService/MutePublishedTrack') assert.equal(answer.track.muted, true);
        if (method === 'RoomService/UpdateParticipant') assert.equal(answer.name, 'Renamed');
        if (method === 'RoomService/SendData') await guest.sees({ event: 'data', text: 'hello' });
      }
      await guest.sees({ event: 'disconnected', reason: 'PARTICIPANT_REMOVED' });
      assert.deepEqual(await meeting.present(room), []);
    });
  }
});
