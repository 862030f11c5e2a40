//! The function's own binary, started in the same way as by Lambda.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::app::Env;
use super::reply::Reply;
use super::runtime_api::{Outcome, RuntimeApi};
use super::server::lock;

/// The longest wait of a test, far longer than any step should take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `bootstrap` and its Runtime API. Killed when dropped.
pub(crate) struct Bootstrap {
    api: RuntimeApi,
    child: Child,
    started: Instant,
    output: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    signals: tokio::sync::Mutex<Option<Signals>>,
}

/// A shell that sends signals to one process. Starting `kill` for each signal would cost more than the
/// request between two of them.
struct Signals {
    _shell: Child,
    input: ChildStdin,
    statuses: Lines<BufReader<ChildStdout>>,
}

impl Signals {
    fn start(process: u32) -> Self {
        let script = "while read -r signal; do kill \"$signal\" \"$1\"; echo $?; done";
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh", &process.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let input = shell.stdin.take().unwrap();
        let statuses = BufReader::new(shell.stdout.take().unwrap()).lines();
        Self { _shell: shell, input, statuses }
    }

    /// Returns after the signal was sent.
    async fn send(&mut self, signal: &str) {
        self.input.write_all(format!("{signal}\n").as_bytes()).await.unwrap();
        let status = self.statuses.next_line().await.unwrap();
        assert_eq!(status.as_deref(), Some("0"), "kill {signal}");
    }
}

impl Bootstrap {
    /// Starts the process with only `env` and Lambda's own variables.
    pub(crate) fn start(env: &Env) -> Self {
        Self::start_build(env!("CARGO_BIN_EXE_bootstrap"), env)
    }

    /// The same with another build, such as that of a release.
    pub(crate) fn start_build(path: &str, env: &Env) -> Self {
        let api = RuntimeApi::start();
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", "roomkey")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/roomkey")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0")
            .envs(env.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn().expect("the binary of this package");
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), &output),
            collect(child.stderr.take().unwrap(), &output),
        ];
        let signals = tokio::sync::Mutex::new(None);
        Self { api, child, started, output, readers, signals }
    }

    /// Sends an event and returns its result.
    pub(crate) async fn invoke(&self, event: &Value) -> Outcome {
        self.invoke_within(event.to_string(), Duration::from_secs(10)).await
    }

    /// Sends these bytes as an event that must be answered within `deadline`.
    pub(crate) async fn invoke_within(
        &self,
        event: impl Into<Vec<u8>>,
        deadline: Duration,
    ) -> Outcome {
        let outcome = self.api.invoke(event.into(), deadline);
        timeout(PATIENCE, outcome)
            .await
            .map_or(Outcome::Nothing, |outcome| outcome.unwrap_or(Outcome::Nothing))
    }

    /// Sends an event and returns the response.
    pub(crate) async fn answer(&self, row: &str, event: &Value) -> Reply {
        let outcome = self.invoke(event).await;
        if !matches!(outcome, Outcome::Answer(_)) {
            eprintln!("{}", self.output());
        }
        outcome.reply(row)
    }

    /// The duration of init, after the request for the first event.
    pub(crate) async fn init_time(&self) -> Duration {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ready) = self.api.ready() {
                return ready - self.started;
            }
            assert!(Instant::now() < deadline, "never ready: {}", self.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Stops the process, as Lambda does between invocations.
    pub(crate) async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// Continues the process.
    pub(crate) async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let mut signals = self.signals.lock().await;
        if signals.is_none() {
            *signals = Some(Signals::start(self.child.id().expect("a running process")));
        }
        signals.as_mut().unwrap().send(signal).await;
    }

    /// The process ID while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends these bytes as an event and returns its result, or the exit status of the process.
    pub(crate) async fn invoke_or_exit(
        &mut self,
        event: impl Into<Vec<u8>>,
    ) -> Result<Outcome, ExitStatus> {
        let outcome = self.api.invoke(event.into(), Duration::from_secs(10));
        tokio::select! {
            status = self.child.wait() => Err(status.unwrap()),
            outcome = timeout(PATIENCE, outcome) => Ok(outcome.unwrap().unwrap()),
        }
    }

    /// The number of events so far, and the numbers of responses to those that have any.
    pub(crate) fn answers(&self) -> (usize, Vec<usize>) {
        self.api.answers()
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let status = timeout(PATIENCE, self.child.wait()).await;
        for reader in self.readers.drain(..) {
            let _closed = timeout(PATIENCE, reader).await;
        }
        status.expect("the process should have ended").unwrap()
    }

    /// The number of reports of a failed init.
    pub(crate) fn init_errors(&self) -> usize {
        self.api.init_errors()
    }

    /// Everything printed so far, both streams.
    pub(crate) fn output(&self) -> String {
        self.lines().join("\n")
    }

    /// The log lines of requests, after there are `count` of them.
    pub(crate) async fn request_logs(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let lines = self.json_lines().into_iter();
            let logs: Vec<_> = lines.filter(|line| !line["outcome"].is_null()).collect();
            if logs.len() >= count || Instant::now() > deadline {
                return logs;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The log line of the first failed fetch from `upstream`, after it was written.
    pub(crate) async fn failed_fetch(&self, upstream: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let is_it = |line: &Value| line["level"] == "WARN" && line["upstream"] == upstream;
        loop {
            if let Some(line) = self.json_lines().into_iter().find(is_it) {
                return line;
            }
            assert!(Instant::now() < deadline, "no failed fetch: {}", self.output());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The log lines of fetches, after there are `count` of them.
    pub(crate) async fn fetch_lines(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.json_lines().into_iter().filter(|line| line["outcome"].is_null());
            let lines: Vec<_> = lines.collect();
            if lines.len() >= count || Instant::now() > deadline {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every line of JSON so far.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn lines(&self) -> Vec<String> {
        lock(&self.output).clone()
    }
}

fn collect(
    stream: impl AsyncRead + Unpin + Send + 'static,
    output: &Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    let output = Arc::clone(output);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            lock(&output).push(line);
        }
    })
}
