// Agents that a LiveKit server starts: a worker that is registered under the agent's name counts its jobs.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { RoomAgentDispatch, RoomConfiguration } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { startWorker } from './support/agents.js';
import { block } from './support/docs.js';
import { person, startMeeting } from './support/meeting.js';
import { output, work } from './support/processes.js';

const LEVEL = '{"level":"beginner"}';
const POLICY = `
[[allow]]
rooms = ["both:*"]
role = "participant"
agents = ["tutor"]
room_config = { agents = [{ agent_name = "tutor", metadata = '${LEVEL}' }] }

[[allow]]
rooms = ["dispatched:*"]
role = "participant"
room_config = { agents = [{ agent_name = "tutor" }] }

[[allow]]
rooms = ["unnamed:*"]
role = "participant"
agents = ["tutor"]
room_config = { agents = [{ metadata = "by the rule" }] }

[[allow]]
rooms = ["claims:*"]
role = "participant"
room_config = { agents = [{ agent_name = "tutor", metadata = '{"org":"{org_id}","user":"{sub}"}' }] }

[[allow]]
rooms = ["listed:*"]
role = "participant"
agents = ["tutor", "notes"]

[[allow]]
rooms = ["plain:*"]
role = "participant"

${block('policy', 'toml', 'rooms       = ["tutoring')}`;
const RECIPE = POLICY.match(/"(tutoring.)\{sub\}(.)\*"/).slice(1);
const ADA = person('ada', { org_id: 'ac"me' });

let meeting;
let tutor;
let unnamed;
before(async () => {
  meeting = await startMeeting({ policy: POLICY });
  [tutor, unnamed] = await Promise.all(['tutor', ''].map((name) => startWorker(meeting.livekit, name)));
});
afterEach(() => meeting.clear());
after(async () => {
  for (const worker of [tutor, unnamed]) worker?.stop();
  await meeting?.stop();
});

const agents = (...list) => ({ agents: list });
const asks = (room, roomConfig) => meeting.ask(ADA, { room_name: room, ...(roomConfig && { room_config: roomConfig }) });

/** Joins the room and returns the metadata of the jobs of `tutor` and of the agent without a name. */
async function jobsAfterJoin(room, roomConfig) {
  const answer = await asks(room, roomConfig);
  assert.equal(answer.status, 201, `${answer.bytes}`);
  await meeting.enter(answer.json.participant_token);
  return [await tutor.jobs(room), await unnamed.jobs(room)];
}

test('worker counts every dispatch of a token', async () => {
  // A token that roomkey must never issue. It shows that the worker detects a second dispatch.
  const token = new AccessToken(meeting.livekit.key, meeting.livekit.secret, { identity: 'eve' });
  token.addGrant({ roomJoin: true, room: 'control' });
  token.roomConfig = new RoomConfiguration({
    agents: [...['one', 'two'].map((metadata) => new RoomAgentDispatch({ agentName: 'tutor', metadata })), new RoomAgentDispatch()],
  });
  await meeting.enter(await token.toJwt());
  assert.deepEqual((await tutor.jobs('control')).sort(), ['one', 'two']);
  assert.deepEqual(await unnamed.jobs('control'), ['']);
});

describe('each agent receives one job', () => {
  const [before, behind] = RECIPE;
  const recipe = (name) => `${before}ada${behind}${name}`;
  const rows = [
    ['no request: automatic dispatch', 'plain:nobody', undefined, [], ['']],
    ['an empty agent is automatic dispatch', 'plain:empty', agents({}), [], ['']],
    ['a client asks for a listed agent', 'listed:one', agents({ agent_name: 'tutor', metadata: 'seat 4' }), ['seat 4'], []],
    ['a client asks for it twice', 'listed:twice', agents({ agent_name: 'tutor' }, { agent_name: 'tutor' }), [''], []],
    ['an empty agent beside it asks for nothing', 'listed:empty', agents({ agent_name: 'tutor' }, {}), [''], []],
    ['a client asks ten times for the agent without a name', 'listed:ten', agents(...Array(10).fill({ metadata: 'again' })), [], ['again']],
    ['the rule dispatches it', 'both:rule', undefined, [LEVEL], []],
    ['the rule dispatches it, and a client asks for it', 'both:client', agents({ agent_name: 'tutor' }), [LEVEL], []],
    ['the same in camelCase', 'both:camel', agents({ agentName: 'tutor' }), [LEVEL], []],
    ['the same with equal metadata', 'both:equal', agents({ agent_name: 'tutor', metadata: LEVEL }), [LEVEL], []],
    ['the rule dispatches it without listing it', 'dispatched:client', agents({ agent_name: 'tutor' }), [''], []],
    ['the rule dispatches the agent without a name', 'unnamed:client', agents({}), [], ['by the rule']],
    ['a listed agent beside the one of the rule', 'unnamed:tutor', agents({ agent_name: 'tutor' }), [''], ['by the rule']],
    ['recipe "One agent per room", no request', recipe('nobody'), undefined, [LEVEL], []],
    ['recipe "One agent per room", a client asks', recipe('client'), agents({ agent_name: 'tutor' }), [LEVEL], []],
  ];
  for (const [what, room, roomConfig, ...jobs] of rows) {
    test(what, async () => { assert.deepEqual(await jobsAfterJoin(room, roomConfig), jobs); });
  }

  test('a second participant starts no further job', async () => {
    assert.deepEqual(await jobsAfterJoin('both:two', agents({ agent_name: 'tutor' })), [[LEVEL], []]);
    await meeting.join(person('ben'), { room_name: 'both:two', room_config: agents({ agent_name: 'tutor' }) });
    assert.deepEqual(await meeting.present('both:two'), ['ada@example.com', 'ben@example.com']);
    assert.deepEqual(await tutor.jobs('both:two'), [LEVEL]);
  });

  test('claims fill the metadata of an agent', async () => {
    const [[metadata, ...others]] = await jobsAfterJoin('claims:one', agents({ agent_name: 'tutor' }));
    assert.deepEqual(others, []);
    assert.deepEqual(JSON.parse(metadata), { org: 'ac"me', user: 'ada' });
  });
});

describe('a refused request starts no agent', () => {
  const rows = [
    ['ten agents without a name', 'listed:no', agents(...[...'0123456789'].map((metadata) => ({ metadata })))],
    ['two agents without a name', 'plain:no', agents({ metadata: 'one' }, { metadata: 'two' })],
    ['one beside the one of the rule', 'unnamed:no', agents({ metadata: 'by the client' })],
    ['other metadata than the rule', 'both:no', agents({ agent_name: 'tutor', metadata: '{"level":"expert"}' })],
    ['one agent with two metadata', 'listed:no', agents({ agent_name: 'tutor', metadata: '1' }, { agent_name: 'tutor', metadata: '2' })],
    ['an agent that is not listed', 'both:no', agents({ agent_name: 'notes' })],
    ['a deployment that is not listed', 'listed:no', agents({ agent_name: 'tutor', deployment: 'staging' })],
    ['recipe "One agent per room", another agent', `${RECIPE[0]}ada${RECIPE[1]}no`, agents({ agent_name: 'notes' })],
  ];
  for (const [what, room, roomConfig] of rows) {
    test(what, async () => {
      const answer = await asks(room, roomConfig);
      assert.deepEqual([answer.status, answer.json.code], [403, 'agent_not_allowed'], `${answer.bytes}`);
      assert.ok(answer.json.detail, 'a detail says what to change');
      assert.deepEqual(await meeting.livekit.rooms.listRooms([room]), []);
      assert.deepEqual([tutor.received(room), unnamed.received(room)], [[], []]);
    });
  }
});

describe("LiveKit's own classes print every default, which asks for nothing", () => {
  const TUTOR = [new RoomAgentDispatch({ agentName: 'tutor', metadata: '{"lang":"de"}' })];
  const javascript = (fields) => JSON.stringify(new RoomConfiguration(fields));
  /** Prints a RoomConfiguration as Python's protobuf package does. */
  const python = (fields, options) => output(`${work}/venv/bin/python`, ['-c', `
import json
from google.protobuf.json_format import MessageToDict
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration
print(json.dumps(MessageToDict(RoomConfiguration(${fields}), ${options})))
`]);
  const PYTHON_TUTOR = `agents=[RoomAgentDispatch(agent_name="tutor", metadata='{"lang":"de"}')]`;
  const [DISPATCHED, AUTOMATIC] = [[['{"lang":"de"}'], []], [[], ['']]];
  const DEFAULTS = 'always_print_fields_with_no_presence=True';
  const rows = [
    ['JSON.stringify, an agent', () => javascript({ agents: TUTOR }), DISPATCHED],
    ['JSON.stringify, nothing', () => javascript({}), AUTOMATIC],
    ['JSON.stringify, an empty egress', () => javascript({ egress: {}, agents: TUTOR }), DISPATCHED],
    ['MessageToDict, an agent', () => python(PYTHON_TUTOR, ''), DISPATCHED],
    ['MessageToDict with defaults, an agent', () => python(PYTHON_TUTOR, DEFAULTS), DISPATCHED],
    ['MessageToDict with defaults, nothing', () => python('', DEFAULTS), AUTOMATIC],
    ['MessageToDict with snake_case names', () => python(PYTHON_TUTOR, `${DEFAULTS}, preserving_proto_field_name=True`), DISPATCHED],
    ['MessageToDict with numbers of enums', () => python(PYTHON_TUTOR, `${DEFAULTS}, use_integers_for_enums=True`), DISPATCHED],
  ];
  rows.forEach(([what, print, found], index) => {
    test(what, async () => {
      const text = await print();
      const room = `listed:printed ${index}`;
      const jobs = await jobsAfterJoin(room, JSON.parse(text));
      assert.deepEqual(jobs, found, text);
    });
  });

  test('a value that is not the default is refused', async () => {
    const config = JSON.parse(javascript({ agents: TUTOR, maxParticipants: 2 }));
    const answer = await asks('listed:printed no', config);
    assert.deepEqual([answer.status, answer.json.code], [403, 'field_not_allowed'], `${answer.bytes}`);
  });
});
