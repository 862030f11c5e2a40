//! The figures that are promised, beside what was measured.

use crate::stats::Estimate;
use crate::tokens::Alg;

/// Lines of the last table, in the order they were measured.
#[derive(Default)]
pub struct Bar {
    lines: Vec<String>,
}

impl Bar {
    pub fn size(&mut self, name: &str, zipped_mb: f64) {
        self.line(
            name,
            "`bootstrap`, zipped",
            &format!("{zipped_mb:.2} MB"),
            "≤ 4 MB",
            zipped_mb <= 4.0,
        );
    }

    pub fn cold(&mut self, name: &str, own: Estimate, cpu: Estimate) {
        let what = "first answer, less the base's, less the upstreams'";
        self.line(name, what, &format!("{own} ms"), "≤ 4.5 ms", own.median <= 4.5);
        self.line(name, "init CPU / base's", &format!("{cpu} ×"), "≤ 4.0 ×", cpu.median <= 4.0);
    }

    pub fn warm(&mut self, name: &str, alg: Alg, cpu: Estimate, peak_mb: f64, asked: usize) {
        if alg == Alg::Rs256 {
            self.line(
                name,
                "CPU per request / base's",
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
        let what = format!("CPU, ES256 / (RS256 + {:.1} µs of verification)", extra.median);
        self.line(name, &what, &format!("{against} ×"), "≤ 1.05 ×", against.median <= 1.05);
    }

    pub fn print(&self) {
        if self.lines.is_empty() {
            return;
        }
        println!("\n### Against what is promised\n");
        println!("| target | figure | measured | promised | kept |\n|---|---|---|---|---|");
        for line in &self.lines {
            println!("{line}");
        }
    }

    fn line(&mut self, name: &str, what: &str, measured: &str, promised: &str, kept: bool) {
        let kept = if kept { "yes" } else { "**no**" };
        self.lines.push(format!("| {name} | {what} | {measured} | {promised} | {kept} |"));
    }
}
