//! Comparison of measured figures with their limits.

use crate::stats::Estimate;
use crate::target::Target;
use crate::tokens::Alg;

/// The peer with limits. Each limit is the minimum ratio to roomkey.
const PEER: &str = "node";
const AT_LEAST: [(Figure, f64); 4] =
    [(Figure::First, 4.5), (Figure::InitCpu, 30.0), (Figure::Cpu, 3.2), (Figure::Memory, 8.0)];
/// Number of requests before the peer's CPU per request counts. After them, its code is compiled.
const WARMED: usize = 8000;

/// Figure by which peers are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    First,
    InitCpu,
    Cpu,
    Memory,
}

/// Lines of the last table, in the order of measurement.
#[derive(Default)]
pub struct Bar {
    lines: Vec<String>,
    /// Zipped size of roomkey in MB.
    our_mb: Option<f64>,
}

impl Bar {
    pub fn size(&mut self, target: &Target, zipped_mb: f64) {
        if target.base {
            return;
        }
        let name = &target.name;
        if target.peer {
            let times = zipped_mb / self.our_mb.unwrap_or(f64::NAN);
            self.peer_line(name, "package, zipped", &format!("{times:.2}"), None);
            return;
        }
        self.our_mb.get_or_insert(zipped_mb);
        let measured = format!("{zipped_mb:.2} MB");
        self.line(name, "`bootstrap`, zipped", &measured, "≤ 4 MB", zipped_mb <= 4.0);
    }

    /// Adds the ratio of a peer's figure to roomkey's in the same rounds. `warmup` is the number of
    /// earlier requests.
    pub fn peer(&mut self, name: &str, figure: Figure, times: Estimate, warmup: usize) {
        let what = match figure {
            Figure::First => "first response".to_owned(),
            Figure::InitCpu => "init CPU".to_owned(),
            Figure::Cpu => format!("CPU per request after {warmup} requests"),
            Figure::Memory => format!("peak memory after at least {warmup} requests"),
        };
        let promise = AT_LEAST.iter().find(|(of, _)| *of == figure).map(|(_, times)| *times);
        let counts = name == PEER && (figure != Figure::Cpu || warmup >= WARMED);
        let promise = promise.filter(|_| counts).map(|least| (least, times.median >= least));
        self.peer_line(name, &what, &times.to_string(), promise);
    }

    fn peer_line(&mut self, name: &str, what: &str, times: &str, promise: Option<(f64, bool)>) {
        let what = format!("{what} ÷ roomkey");
        if let Some((least, kept)) = promise {
            self.line(name, &what, &format!("{times} ×"), &format!("≥ {least} ×"), kept);
        } else {
            self.lines.push(format!("| {name} | {what} | {times} × | | |"));
        }
    }

    pub fn cold(&mut self, name: &str, own: Estimate, cpu: Estimate) {
        let what = "first response without base and upstreams";
        self.line(name, what, &format!("{own} ms"), "≤ 4.5 ms", own.median <= 4.5);
        self.line(name, "init CPU ÷ base", &format!("{cpu} ×"), "≤ 4.0 ×", cpu.median <= 4.0);
    }

    pub fn warm(&mut self, name: &str, alg: Alg, cpu: Estimate, peak_mb: f64, asked: usize) {
        if alg == Alg::Rs256 {
            self.line(
                name,
                "CPU per request ÷ base",
                &format!("{cpu} ×"),
                "≤ 2.1 ×",
                cpu.median <= 2.1,
            );
            self.line(name, "peak memory", &format!("{peak_mb:.1} MB"), "≤ 12 MB", peak_mb <= 12.0);
        }
        let what = format!("upstream requests while warm, {}", alg.name());
        self.line(name, &what, &asked.to_string(), "0", asked == 0);
    }

    pub fn algorithms(&mut self, name: &str, against: Estimate, extra: Estimate) {
        let what = format!("CPU, ES256 ÷ (RS256 + {:.1} µs of signature check)", extra.median);
        self.line(name, &what, &format!("{against} ×"), "≤ 1.05 ×", against.median <= 1.05);
    }

    pub fn print(&self) {
        if self.lines.is_empty() {
            return;
        }
        println!("\n### Limits\n");
        println!("| target | figure | measured | limit | met |\n|---|---|---|---|---|");
        for line in &self.lines {
            println!("{line}");
        }
    }

    fn line(&mut self, name: &str, what: &str, measured: &str, limit: &str, met: bool) {
        let met = if met { "yes" } else { "**no**" };
        self.lines.push(format!("| {name} | {what} | {measured} | {limit} | {met} |"));
    }
}
