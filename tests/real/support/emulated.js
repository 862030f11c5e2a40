// What `.ci/build.sh` built for Lambda's two processors, each as a program that starts on this machine: x86_64 as it is,
// arm64 under QEMU's user-mode emulation.
import { chmodSync, existsSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { run, work } from './processes.js';

const built = (architecture) => `${work}/build/${architecture}/TokenFunction/bootstrap`;
const EMULATOR = '/usr/bin/qemu-aarch64-static';
/** Where Debian has arm64's libraries. Those of this machine are of no use to the program. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
const TARGET = 'aarch64-unknown-linux-gnu';

/** Why there is no arm64 build; undefined where there has to be one. */
export const unavailable = existsSync(`${work}/build/arm64.unavailable`)
  ? readFileSync(`${work}/build/arm64.unavailable`, 'utf8')
  : undefined;

/** Whether Rust can compile for arm64 here. */
export const compiles = () => existsSync(run('rustc', ['--print', 'target-libdir', '--target', TARGET]).stdout.trim());

/** The x86_64 build. `runs` gives the processes that it is now. */
export function native() {
  const binary = built('x86_64');
  return { path: binary, binary, runs: () => processes(({ exe }) => exe === binary) };
}

/** The arm64 build behind a script that starts it on the processor that Lambda has, a Graviton2. */
export function emulated() {
  const path = `${work}/build/arm64/emulated`;
  const binary = built('arm64');
  writeFileSync(path, `#!/bin/sh\nexec ${EMULATOR} -cpu neoverse-n1 -L ${LIBRARIES} "${binary}"\n`);
  chmodSync(path, 0o755);
  return { path, binary, runs: () => processes(({ exe, args }) => exe === EMULATOR && args.includes(binary)) };
}

/** The machine's processes that are so. */
function processes(wanted) {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return wanted({ exe: readlinkSync(`/proc/${pid}/exe`), args });
    } catch (error) {
      // It ended meanwhile, or is the kernel's.
      if (['ENOENT', 'ESRCH', 'EACCES'].includes(error.code)) return false;
      throw error;
    }
  });
}
