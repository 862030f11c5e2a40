// An agent worker of a LiveKit server: it registers under a name, accepts every job and records it.
import { once } from 'node:events';
import { JobType, ServerMessage, WorkerMessage } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import WebSocket from 'ws';
import { eventually } from './processes.js';

const LAST = 'the last job of the room';

/** Starts a worker for `agentName`; an empty name registers the agent that automatic dispatch starts. */
export async function startWorker(livekit, agentName) {
  const token = new AccessToken(livekit.key, livekit.secret, { identity: `worker ${agentName}` });
  token.addGrant({ agent: true });
  const headers = { authorization: `Bearer ${await token.toJwt()}` };
  const socket = new WebSocket(`${livekit.url}/agent?protocol=1`, { headers });
  const tell = (name, value) => socket.send(new WorkerMessage({ message: { case: name, value } }).toBinary());

  const jobs = [];
  let registered = false;
  socket.on('message', (bytes) => {
    const { case: name, value } = ServerMessage.fromBinary(bytes).message;
    if (name === 'register') registered = true;
    if (name === 'availability') tell('availability', { jobId: value.job.id, available: true, participantIdentity: value.job.id });
    if (name === 'assignment') jobs.push(value.job);
  });
  await once(socket, 'open');
  tell('register', { type: JobType.JT_ROOM, agentName, version: '1' });
  await eventually(`the server registers ${agentName || 'an agent without a name'}`, () => registered);

  /** Returns the metadata of the jobs that the worker received for the room. */
  const received = (room) => jobs.filter((job) => job.room.name === room).map(({ metadata }) => metadata);
  return {
    received,
    /**
     * Returns the metadata of the jobs for an open room once no further one can come: each dispatch has its job, and
     * a dispatch that is created after them too.
     */
    jobs: async (room) => {
      const dispatches = (await livekit.dispatches.listDispatch(room)).filter((dispatch) => dispatch.agentName === agentName);
      await livekit.dispatches.createDispatch(room, agentName, { metadata: LAST });
      await eventually(`${agentName} has ${dispatches.length} jobs in ${room}`, () => {
        const found = received(room);
        return found.includes(LAST) && found.length > dispatches.length;
      });
      return received(room).filter((metadata) => metadata !== LAST);
    },
    stop: () => socket.terminate(),
  };
}
