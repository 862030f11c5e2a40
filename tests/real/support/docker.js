// A separate Docker engine (Debian's) for the suite, with a stand-in for Lambda's base image.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { eventually, repository, run, start, work } from './processes.js';

/** SAM's name of this machine's processor architecture. */
export const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x86_64';
const IMAGE = `public.ecr.aws/lambda/provided:al2023-${ARCHITECTURE}`;

/** Starts the engine and imports the image. `env` contains the variables with which SAM finds it. */
export async function startDocker() {
  const home = mkdtempSync(`${tmpdir()}/docker-`); // a short path, because socket paths have at most 108 bytes
  const socket = `${home}/docker.sock`;
  const engine = start('dockerd', [
    '--host', `unix://${socket}`, '--data-root', `${work}/docker`, '--exec-root', `${home}/exec`,
    '--pidfile', `${home}/dockerd.pid`, '--storage-driver', 'overlay2', '--log-level', 'error',
    // No firewall rules, because the containers need no network access.
    '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false',
  ]);
  const env = { DOCKER_HOST: `unix://${socket}` };
  // If the suite ends early, stop the engine gracefully. Containers and mounts would survive a kill.
  process.prependListener('exit', () => {
    if (engine.child.exitCode !== null || engine.child.signalCode !== null) return;
    const stopping = 'docker ps --quiet | xargs -r docker kill; read -r pid < "$0"; kill "$pid"; timeout 10 tail --pid="$pid" -f /dev/null';
    spawnSync('sh', ['-c', stopping, `${home}/dockerd.pid`], { env: { ...process.env, ...env }, timeout: 15_000 });
    rmSync(home, { recursive: true, force: true });
  });
  const docker = (...args) => run('docker', args, { env: { ...process.env, ...env } }).stdout;
  await eventually('dockerd answers', () => existsSync(socket) && docker('info'), 30);
  if (!docker('image', 'ls', '--quiet', IMAGE).trim()) {
    const importing = `bash "$0" | docker import -c 'WORKDIR /var/task' `
      + `-c 'ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' - ${IMAGE}`;
    run('bash', ['-o', 'pipefail', '-c', importing, `${repository}tests/real/support/base_image.sh`], {
      env: { ...process.env, ...env },
    });
  }
  const stop = async () => {
    await engine.stop('SIGTERM', 20);
    rmSync(home, { recursive: true, force: true });
  };
  return { env, docker, stop };
}
