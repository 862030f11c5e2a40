// The released LiveKit server on free ports of the loopback interface.
import { AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { eventually, freePort, freeUdpPort, start, work } from './processes.js';

/** Returns the log entries of the server with all `wanted` fields. */
const entries = (log, wanted) => log.split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((entry) => Object.entries(wanted).every(([field, value]) => entry[field] === value));

/**
 * Starts the server. `rooms` and `dispatches` read its state with the server's own key. `says` waits until its log has
 * `count` matching entries, for facts that no API exposes. `call` uses one of its APIs with any token. `port` is the
 * HTTP port, by default a free one. `webhook` is a URL that receives the server's events. `yaml` is further
 * configuration.
 */
export async function startLiveKit({ port, key = 'devkey', secret = 'secret', webhook, yaml = '' } = {}) {
  const httpPort = port ?? await freePort();
  const config = {
    port: httpPort,
    bind_addresses: ['127.0.0.1'],
    keys: { [key]: secret },
    // Development mode, because the server otherwise rejects a short secret.
    development: true,
    logging: { level: 'info', json: true },
    ...(webhook && { webhook: { api_key: key, urls: [webhook] } }),
    rtc: {
      node_ip: '127.0.0.1',
      udp_port: await freeUdpPort(),
      // It cannot be bound to an address and would listen on every interface.
      tcp_port: 0,
      enable_loopback_candidate: true,
      interfaces: { includes: ['lo'] },
    },
  };
  // JSON is valid YAML.
  const fields = Object.entries(config).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const program = start(`${work}/livekit-server`, ['--config-body', [yaml, ...fields].join('\n')]);
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  try {
    await eventually('the LiveKit server responds', async () => (await fetch(httpUrl)).ok);
  } catch (error) {
    await program.stop();
    throw new Error(`${error.message}\n${program.output}`);
  }
  return {
    url: `ws://127.0.0.1:${httpPort}`,
    httpUrl,
    key,
    secret,
    rooms: new RoomServiceClient(httpUrl, key, secret),
    dispatches: new AgentDispatchClient(httpUrl, key, secret),
    call: async (token, method, body) => {
      const response = await fetch(`${httpUrl}/twirp/livekit.${method}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, ...await response.json() };
    },
    log: () => program.output,
    says: (wanted, count = 1) => eventually(
      `the LiveKit server says ${JSON.stringify(wanted)} ${count} times`,
      () => entries(program.output, wanted).length >= count,
    ),
    stop: program.stop,
  };
}
