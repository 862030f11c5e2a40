// Background programs and ports. All programs end with the suite.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const work = `${repository}.ci/work`;
export const bootstrap = process.env.BOOTSTRAP ?? `${repository}target/release/bootstrap`;

const execute = promisify(execFile);
const running = new Set();
process.on('exit', () => running.forEach((child) => signal(child, 'SIGKILL')));
process.on('SIGTERM', () => process.exit(143));

// Systems take the port of an outgoing connection from 32768 and above, so a number below cannot be taken between this
// check and the start of the program. Each number is used once. The start differs, for suites that run side by side.
let lastPort = 10_000 + Math.floor(Math.random() * 22_000);

/** Returns a number below 32768 for which `binds` succeeds. */
async function firstFree(binds) {
  for (;;) {
    lastPort = lastPort < 32_767 ? lastPort + 1 : 10_000;
    // Other calls change `lastPort` during the wait.
    const port = lastPort;
    if (await binds(port)) return port;
  }
}

/** Whether a server or socket that starts to listen succeeds. It is closed again. */
async function listens(server) {
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Returns a free TCP port. */
export const freePort = () => firstFree((port) => listens(createServer().listen(port, '127.0.0.1')));

/** Returns a free UDP port. */
export const freeUdpPort = () => firstFree((port) => listens(createSocket('udp4').bind(port, '127.0.0.1')));

/** Repeats `probe` until its result is truthy, for at most `seconds`. */
export async function eventually(what, probe, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(`${what}: not within ${seconds} s (last: ${last})`);
}

/** Returns whether a program listens on the port. */
export async function listening(port, host = '127.0.0.1') {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

/**
 * Starts a program in a separate process group. `timeout` ends it even if the suite is killed before it can clean up.
 */
export function start(command, args, { env = process.env, cwd = repository, seconds = 900, stdin = 'ignore' } = {}) {
  const child = spawn('timeout', ['--kill-after=5', String(seconds), command, ...args], {
    cwd,
    env,
    detached: true,
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const program = { child, output: '', exited: once(child, 'exit') };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => { program.output += text; });
  }
  running.add(child);
  program.exited.then(() => running.delete(child));
  program.stop = async (first = 'SIGTERM', graceSeconds = 10) => {
    signal(child, first);
    const late = setTimeout(() => signal(child, 'SIGKILL'), graceSeconds * 1000);
    await program.exited;
    clearTimeout(late);
  };
  return program;
}

function signal(child, name) {
  try {
    process.kill(-child.pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Runs a short program synchronously. A failure throws an error with its whole output. */
export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: repository, encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 26, ...options,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
  return { stdout, stderr };
}

/** Runs a program asynchronously and returns its standard output. */
export async function output(command, args, options = {}) {
  try {
    return (await execute(command, args, { cwd: repository, timeout: 120_000, maxBuffer: 1 << 26, ...options })).stdout;
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}
