//! A function under test: its program, its environment, its process.

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::Failure;
use crate::runtime::{Call, Event, Runtime, What};

/// What a zip file of one deflated file adds: its name twice, its sums.
const ZIP_FRAME: usize = 118;

/// One program in one environment.
#[derive(Clone)]
pub struct Target {
    pub name: String,
    pub path: PathBuf,
    /// The hello-world: its answers are not tokens.
    pub base: bool,
    /// Upstream answers that it must wait for one after the other before it is ready.
    pub steps: u32,
    pub env: Vec<(String, String)>,
}

/// A running target and its Runtime API.
pub struct Process {
    child: Child,
    runtime: Runtime,
    clock: ClockId,
    log: std::fs::File,
    next: Option<Call>,
}

/// One answered invocation.
pub struct Answer {
    pub body: Vec<u8>,
    pub took: Duration,
    pub at: Instant,
    /// The process's CPU time as the answer arrived.
    pub cpu: Duration,
}

/// A process that has asked for its first event.
pub struct Started {
    pub process: Process,
    pub spawned: Instant,
    pub init: Duration,
    pub init_cpu: Duration,
}

impl Target {
    /// Starts the program and waits until it asks for its first event.
    pub fn start(&self) -> Result<Started, Failure> {
        let runtime = Runtime::start()?;
        let address = runtime.address()?.to_string();
        // Where a log line goes costs the function something. A file in memory is close to the
        // pipe of a Lambda environment, and needs no reader that would take turns with it.
        let log = std::fs::File::from(memfd_create("log", MFdFlags::MFD_CLOEXEC)?);
        let mut command = Command::new(&self.path);
        command.env_clear().stdin(Stdio::null());
        command.stdout(OwnedFd::from(log.try_clone()?)).stderr(OwnedFd::from(log.try_clone()?));
        command.env("AWS_LAMBDA_RUNTIME_API", address);
        command.envs(LAMBDA_ENV.iter().copied()).envs(self.env.iter().cloned());
        let spawned = Instant::now();
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.name))?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        let clock = ClockId::pid_cpu_clock_id(pid)?;
        let mut process = Process { child, runtime, clock, log, next: None };
        let next = process.wait()?;
        let init_cpu = process.cpu()?;
        if !matches!(next.what, What::Next) {
            return Err(process.explain("an answer before any event".into()));
        }
        let init = next.at - spawned;
        process.next = Some(next);
        Ok(Started { process, spawned, init, init_cpu })
    }

    /// Writes the program anew into `directory` and starts it from there.
    ///
    /// How a file came about decides how it lies in the page cache, and with it up to a tenth of a
    /// cold start: two copies of one file may differ by that much. So all are written alike.
    pub fn stage(&mut self, directory: &Path) -> Result<(), Failure> {
        let directory = directory.join(&self.name);
        std::fs::create_dir(&directory)?;
        let program = std::fs::read(&self.path)
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        let original = std::fs::canonicalize(&self.path)?;
        let task_root = original.parent().ok_or("no directory")?.to_string_lossy().into_owned();
        self.env.push(("LAMBDA_TASK_ROOT".to_owned(), task_root));
        self.path = directory.join("bootstrap");
        std::fs::write(&self.path, program)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// `bootstrap` in bytes, as it is and as a deployment package holds it.
    pub fn size(&self) -> Result<(usize, usize), Failure> {
        let program = std::fs::read(&self.path)?;
        let mut packed =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &program)?;
        Ok((program.len(), packed.finish()?.len() + ZIP_FRAME))
    }
}

impl Process {
    /// One invocation, up to the function's asking for the next one.
    pub fn invoke(&mut self, event: &mut Event) -> Result<Answer, Failure> {
        let next = self.next.take().ok_or("the function is busy")?;
        let sent = self.runtime.invoke(&next, event)?;
        let call = self.wait()?;
        let at = call.at;
        let cpu = self.cpu()?;
        self.runtime.accept(&call)?;
        let What::Response { id, body } = call.what else {
            return Err(self.explain("no answer before the next event".into()));
        };
        if id != self.runtime.current_id() {
            return Err(self.explain("an answer to another invocation".into()));
        }
        let next = self.wait()?;
        if !matches!(next.what, What::Next) {
            return Err(self.explain("two answers to one event".into()));
        }
        self.next = Some(next);
        Ok(Answer { body, took: at - sent, at, cpu })
    }

    /// CPU time of the process so far, all its threads, the kernel's part included.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        Ok(self.clock.now()?.into())
    }

    /// The most memory it has held so far, in MB.
    pub fn peak_mb(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }

    fn wait(&mut self) -> Result<Call, Failure> {
        self.runtime.wait(&mut self.child).map_err(|error| self.explain(error))
    }

    /// An error with what the function logged last.
    fn explain(&mut self, error: Failure) -> Failure {
        let mut said = String::new();
        let read =
            self.log.seek(SeekFrom::Start(0)).and_then(|_| self.log.read_to_string(&mut said));
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        if read.is_err() || last.is_empty() {
            return error;
        }
        format!("{error}; it logged, last line first:\n{}", last.join("\n")).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing left to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Lambda sets for every function, as far as a function reads it.
const LAMBDA_ENV: [(&str, &str); 14] = [
    ("AWS_ACCESS_KEY_ID", "ASIABENCHBENCHBENCH1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0123456789abcdef"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_SECRET_ACCESS_KEY", "bench/bench/bench/bench/bench/bench/benc"),
    ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEBench"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];
