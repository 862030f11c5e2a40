//! Part of one process in a round of warm requests, and the core that it runs on.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::target::{Process, Target};
use crate::tokens::{self, Request};
use crate::upstream::Upstream;
use crate::{Failure, us};

/// Number of invocations of one target before the next target continues.
pub const BATCH: usize = 200;

/// Pins this thread, and the targets it starts, to one core. Returns its previous cores.
pub fn pin(wanted: bool) -> Result<CpuSet, Failure> {
    let free = sched_getaffinity(Pid::from_raw(0))?;
    if wanted {
        // Targets are children of this thread and inherit its core.
        sched_setaffinity(Pid::from_raw(0), &last_core(&free)?)?;
    }
    Ok(free)
}

pub fn unpin(free: &CpuSet) -> Result<(), Failure> {
    Ok(sched_setaffinity(Pid::from_raw(0), free)?)
}

fn last_core(free: &CpuSet) -> Result<CpuSet, Failure> {
    let is_free = |core: &usize| free.is_set(*core).unwrap_or(false);
    let core = (0..CpuSet::count()).rev().find(is_free).ok_or("no core to run on")?;
    let mut one = CpuSet::new();
    one.set(core)?;
    Ok(one)
}

/// Process in one round.
pub struct Turn<'a> {
    pub target: &'a Target,
    pub process: Process,
    /// Microseconds of each measured request, empty for concurrent requests.
    pub took: Vec<f64>,
    /// Upstream requests during the measurement.
    pub asked: usize,
    /// Whether all its requests must be rejected.
    pub refused: bool,
    served: usize,
    cpu: Duration,
    at_once: usize,
}

impl<'a> Turn<'a> {
    pub fn start(
        target: &'a Target,
        requests: &mut [Request],
        warmup: usize,
        at_once: usize,
    ) -> Result<Self, Failure> {
        let process = target.start()?.process;
        let mut turn = Self {
            target,
            process,
            took: Vec::new(),
            asked: 0,
            refused: false,
            served: 0,
            cpu: Duration::ZERO,
            at_once,
        };
        if at_once > 1 {
            turn.process.invoke_many(requests, warmup, at_once, |_, _| Ok(()))?;
        } else {
            for count in 0..warmup {
                let place = count % requests.len();
                turn.process.invoke(&mut requests[place].event)?;
            }
        }
        Ok(turn)
    }

    pub fn batch(&mut self, upstream: &Upstream, requests: &mut [Request]) -> Result<(), Failure> {
        let asked = upstream.asked();
        let cpu = self.process.cpu()?;
        let served = if self.at_once > 1 { self.many(requests) } else { self.single(requests) };
        served.map_err(|error| format!("{}: {error}", self.target.name))?;
        self.served += BATCH;
        self.cpu += self.process.cpu()?.saturating_sub(cpu);
        self.asked += (upstream.asked() - asked).total();
        Ok(())
    }

    fn single(&mut self, requests: &mut [Request]) -> Result<(), Failure> {
        for count in 0..BATCH {
            let place = self.took.len() % requests.len();
            let request = &mut requests[place];
            let answer = self.process.invoke(&mut request.event)?;
            self.took.push(us(answer.took));
            // The status of every response is checked, because errors are cheap, and one per batch completely.
            if self.refused {
                tokens::check_refused(&answer.body)?;
            } else if self.target.base || count > 0 {
                expect_created(&answer.body)?;
            } else {
                tokens::check(&answer.body, request)?;
            }
        }
        Ok(())
    }

    /// Checks all responses completely, because concurrent ones could be exchanged.
    fn many(&mut self, requests: &mut [Request]) -> Result<(), Failure> {
        self.process.invoke_many(requests, BATCH, self.at_once, tokens::check)
    }

    pub fn cpu_us(&self) -> f64 {
        us(self.cpu.div_f64(count(self.served)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(requests: usize) -> f64 {
    requests as f64
}

pub fn expect_created(answer: &[u8]) -> Result<(), Failure> {
    const CREATED: &[u8] = b"\"statusCode\":201";
    // Python writes a space after the colon.
    const SPACED: &[u8] = b"\"statusCode\": 201";
    let holds = |wanted: &[u8]| answer.windows(wanted.len()).any(|window| window == wanted);
    if holds(CREATED) || holds(SPACED) {
        return Ok(());
    }
    Err(format!("not a 201: {}", String::from_utf8_lossy(answer)).into())
}
