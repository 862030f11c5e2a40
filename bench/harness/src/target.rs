//! Function under test: program, environment and process.

use std::collections::HashMap;
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
use crate::tokens::Request;

/// Program with its environment.
#[derive(Clone)]
pub struct Target {
    pub name: String,
    pub path: PathBuf,
    /// Path of the program.
    pub original: PathBuf,
    /// Whether the target is the hello-world, whose responses are not tokens.
    pub base: bool,
    /// Whether the target is an alternative, which is compared but has no limits.
    pub peer: bool,
    pub env: Vec<(String, String)>,
}

/// Running target and its Runtime API.
pub struct Process {
    child: Child,
    runtime: Runtime,
    clock: ClockId,
    log: std::fs::File,
    /// Waiting requests for an event, as many as the target handles concurrently.
    waiting: Vec<Call>,
}

/// Completed invocation.
pub struct Answer {
    pub body: Vec<u8>,
    pub took: Duration,
    pub at: Instant,
    /// CPU time of the process at the arrival of the response.
    pub cpu: Duration,
}

/// Process that has requested its first event.
pub struct Started {
    pub process: Process,
    pub spawned: Instant,
    pub init: Duration,
    pub init_cpu: Duration,
}

impl Target {
    /// Starts the program and waits until it requests its first event.
    pub fn start(&self) -> Result<Started, Failure> {
        let runtime = Runtime::start()?;
        let address = runtime.address()?.to_string();
        // The destination of log lines affects the costs. A file in memory is similar to the pipe
        // of a Lambda environment, and requires no reader that competes for the core.
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
        let mut process = Process { child, runtime, clock, log, waiting: Vec::new() };
        let next = process.wait()?;
        let init_cpu = process.cpu()?;
        if !matches!(next.what, What::Next) {
            return Err(process.explain("an answer before any event".into()));
        }
        let init = next.at - spawned;
        process.waiting.push(next);
        Ok(Started { process, spawned, init, init_cpu })
    }

    /// Copies the program to `directory` and starts the copy.
    ///
    /// The layout of a file in the page cache depends on the way it was written, and affects a cold
    /// start by up to a tenth. Copying gives all programs the same layout.
    pub fn stage(&mut self, directory: &Path) -> Result<(), Failure> {
        let directory = directory.join(&self.name);
        std::fs::create_dir(&directory)?;
        let program = std::fs::read(&self.path)
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.original = std::fs::canonicalize(&self.path)?;
        let task_root =
            self.original.parent().ok_or("no directory")?.to_string_lossy().into_owned();
        self.env.push(("LAMBDA_TASK_ROOT".to_owned(), task_root));
        self.path = directory.join("bootstrap");
        std::fs::write(&self.path, program)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    }
}

impl Process {
    /// Performs one invocation, up to the request for the next one.
    pub fn invoke(&mut self, event: &mut Event) -> Result<Answer, Failure> {
        let next = self.waiting.pop().ok_or("the function is busy")?;
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
        self.waiting.push(next);
        Ok(Answer { body, took: at - sent, at, cpu })
    }

    /// Returns the CPU time of all threads of the process so far, including kernel time.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        Ok(self.clock.now()?.into())
    }

    /// Performs `count` invocations, `at_once` of them concurrently, with alternating `requests`.
    /// `check` receives every response with its request.
    pub fn invoke_many(
        &mut self,
        requests: &mut [Request],
        count: usize,
        at_once: usize,
        check: impl Fn(&[u8], &Request) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut under_way = HashMap::new();
        let mut sent = 0;
        let mut answered = 0;
        while self.waiting.len() < at_once {
            let call = self.wait()?;
            self.expect_next(call)?;
        }
        loop {
            while sent < count
                && under_way.len() < at_once
                && let Some(next) = self.waiting.pop()
            {
                let place = sent % requests.len();
                self.runtime.invoke(&next, &mut requests[place].event)?;
                under_way.insert(self.runtime.current_id(), place);
                sent += 1;
            }
            if answered == count && self.waiting.len() == at_once {
                return Ok(());
            }
            let call = self.wait()?;
            let What::Response { id, body } = &call.what else {
                self.expect_next(call)?;
                continue;
            };
            self.runtime.accept(&call)?;
            let place = under_way.remove(id).ok_or("an answer to no invocation under way")?;
            check(body, &requests[place])?;
            answered += 1;
        }
    }

    fn expect_next(&mut self, call: Call) -> Result<(), Failure> {
        if !matches!(call.what, What::Next) {
            return Err(self.explain("an answer before any event".into()));
        }
        self.waiting.push(call);
        Ok(())
    }

    /// Returns the peak resident memory so far, in MB.
    pub fn peak_mb(&self) -> Result<f64, Failure> {
        self.memory("VmHWM:")
    }

    /// Returns the current resident memory, in MB.
    pub fn resident_mb(&self) -> Result<f64, Failure> {
        self.memory("VmRSS:")
    }

    fn memory(&self, what: &str) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }

    /// Discards the log, because a million lines would fill the memory.
    pub fn forget_log(&mut self) -> Result<(), Failure> {
        self.log.set_len(0)?;
        self.log.seek(SeekFrom::Start(0))?;
        Ok(())
    }

    fn wait(&mut self) -> Result<Call, Failure> {
        self.runtime.wait(&mut self.child).map_err(|error| self.explain(error))
    }

    /// Returns an error with the last log lines of the function.
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
        // The process can have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Variables that Lambda sets for every function.
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
