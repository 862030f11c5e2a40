// Participants in rooms of a LiveKit server, with LiveKit's native client (Python).
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually, repository, start, work } from './processes.js';

/** Starts the client. `join` joins a room as a person, or throws the client's error. */
export async function startParticipants() {
  const script = `${repository}tests/real/support/participants.py`;
  const program = start(`${work}/venv/bin/python`, [script], { stdin: 'pipe' });
  const waiting = new Map();
  const people = new Map();
  let count = 0;

  const lines = createInterface({ input: program.child.stdout });
  const ready = once(lines, 'line');
  lines.on('line', (line) => {
    const { number, who, result, error, ...event } = JSON.parse(line);
    if (who !== undefined) people.get(who)?.push(event);
    else if (number !== undefined) {
      const { resolve, reject } = waiting.get(number);
      waiting.delete(number);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    }
  });
  program.exited.then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`the client ended\n${program.output}`));
  });

  const tell = (who, what, args = {}) => new Promise((resolve, reject) => {
    count += 1;
    waiting.set(count, { resolve, reject });
    program.child.stdin.write(`${JSON.stringify({ number: count, who, do: what, arguments: args })}\n`);
  });

  const join = async (url, token) => {
    count += 1;
    const who = count;
    const events = [];
    people.set(who, events);
    const { room, identity } = await tell(who, 'join', { url, token });
    const saw = (wanted) => events.find((event) => Object.entries(wanted).every(([key, value]) => event[key] === value));
    return {
      room,
      identity,
      publish: (source) => tell(who, 'publish', { source }),
      send: (text) => tell(who, 'send', { text }),
      update: (fields) => tell(who, 'update', fields),
      /** Waits until this person received a matching event. */
      sees: (wanted) => eventually(`${identity} sees ${JSON.stringify(wanted)}`, () => {
        const event = saw(wanted);
        if (!event) throw new Error(`saw ${JSON.stringify(events)}`);
        return event;
      }),
      saw,
    };
  };

  await Promise.race([ready, program.exited.then(() => { throw new Error(program.output); })]);
  return {
    join,
    /** Lets all participants leave. */
    clear: async () => {
      const present = [...people.keys()];
      people.clear();
      await Promise.all(present.map((who) => tell(who, 'leave')));
    },
    stop: program.stop,
  };
}
