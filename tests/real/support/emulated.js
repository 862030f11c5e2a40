// The builds of `.ci/build.sh` for both processor architectures, as programs for this machine. arm64 runs under QEMU's
// user-mode emulation.
import { chmodSync, existsSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { run, work } from './processes.js';

const built = (architecture) => `${work}/build/${architecture}/TokenFunction/bootstrap`;
const EMULATOR = '/usr/bin/qemu-aarch64-static';
/** Debian's folder with the arm64 libraries. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const TARGET = 'aarch64-unknown-linux-gnu';

/** Reason for a missing arm64 build; undefined if the build must exist. */
export const unavailable = existsSync(`${work}/build/arm64.unavailable`)
  ? readFileSync(`${work}/build/arm64.unavailable`, 'utf8')
  : undefined;

/** Returns whether Rust can compile for arm64 on this machine. */
export const compiles = () => existsSync(run('rustc', ['--print', 'target-libdir', '--target', TARGET]).stdout.trim());

/** The x86_64 build. `runs` returns its current processes. */
export function native() {
  const binary = built('x86_64');
  return { path: binary, binary, runs: () => processes(({ exe }) => exe === binary) };
}

/** The arm64 build in a script that emulates Lambda's processor, a Graviton2. */
export function emulated() {
  const path = `${work}/build/arm64/emulated`;
  const binary = built('arm64');
  writeFileSync(path, `#!/bin/sh\nexec ${EMULATOR} -cpu neoverse-n1 -L ${LIBRARIES} "${binary}"\n`);
  chmodSync(path, 0o755);
  return { path, binary, runs: () => processes(({ exe, args }) => exe === EMULATOR && args.includes(binary)) };
}

/** Returns the processes of the machine that match. */
function processes(wanted) {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return wanted({ exe: readlinkSync(`/proc/${pid}/exe`), args });
    } catch (error) {
      // The process has ended, or belongs to the kernel.
      if (['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) return false;
      throw error;
    }
  });
}
