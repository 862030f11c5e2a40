//! Plots as SVG with lines and text, legible on light and dark pages.

use std::fmt::Write as _;

/// Line of a plot. Each point has an input, a value, and the ends of its interval.
pub struct Line {
    pub name: String,
    pub points: Vec<[f64; 4]>,
}

pub struct Plot<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 696.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 336.0;

/// Style with sufficient contrast on both backgrounds. Shapes distinguish lines without color.
const STYLE: &str = "\
.paper{fill:#ffffff}.ink{fill:#1f2328}.grid{stroke:#d1d9e0}.axis{stroke:#59636e}\
.line{fill:none;stroke-width:2}.bar{stroke-width:1.5}\
.s0{stroke:#0969da}.d0{fill:#0969da}.s1{stroke:#bc4c00}.line.s1{stroke-dasharray:7 4}.d1{fill:#bc4c00}\
@media(prefers-color-scheme:dark){\
.paper{fill:#0d1117}.ink{fill:#e6edf3}.grid{stroke:#30363d}.axis{stroke:#8b949e}\
.s0{stroke:#58a6ff}.d0{fill:#58a6ff}.s1{stroke:#f0883e}.d1{fill:#f0883e}}";

impl Plot<'_> {
    pub fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let xs = ticks(all().map(|point| point[0]).fold(0.0, f64::max));
        let ys = ticks(all().map(|point| point[3]).fold(0.0, f64::max));
        let (x_end, y_end) = (xs[xs.len() - 1], ys[ys.len() - 1]);
        let right = |x: f64| LEFT + (RIGHT - LEFT) * x / x_end;
        let up = |y: f64| BOTTOM - (BOTTOM - TOP) * y / y_end;

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"{}\">\n\
             <style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n",
            self.title
        );
        text(&mut svg, [LEFT, 26.0], "start", "font-size=\"16\" font-weight=\"600\"", self.title);
        for y in &ys {
            let at = up(*y);
            rule(&mut svg, if *y > 0.0 { "grid" } else { "axis" }, [LEFT, at, RIGHT, at]);
            text(&mut svg, [LEFT - 8.0, at + 4.5], "end", "", &grouped(*y));
        }
        for x in &xs {
            let at = right(*x);
            rule(&mut svg, "axis", [at, BOTTOM, at, BOTTOM + 5.0]);
            text(&mut svg, [at, BOTTOM + 21.0], "middle", "", &grouped(*x));
        }
        text(&mut svg, [f64::midpoint(LEFT, RIGHT), HEIGHT - 16.0], "middle", "", self.x);
        let middle = f64::midpoint(TOP, BOTTOM);
        let turned = format!("transform=\"rotate(-90 20 {middle})\"");
        text(&mut svg, [20.0, middle], "middle", &turned, self.y);
        for (index, line) in self.lines.iter().enumerate() {
            let path: Vec<String> = line
                .points
                .iter()
                .map(|[x, y, ..]| format!("{:.1},{:.1}", right(*x), up(*y)))
                .collect();
            let _ =
                writeln!(svg, "<polyline class=\"line s{index}\" points=\"{}\"/>", path.join(" "));
            for [x, y, low, high] in &line.points {
                let (at, low, high) = (right(*x), up(*low), up(*high));
                rule(&mut svg, &format!("bar s{index}"), [at, low, at, high]);
                mark(&mut svg, index, at, up(*y));
            }
        }
        if self.lines.len() > 1 {
            let mut at = LEFT;
            for (index, line) in self.lines.iter().enumerate() {
                mark(&mut svg, index, at + 5.0, 45.0);
                text(&mut svg, [at + 16.0, 49.5], "start", "", &line.name);
                at = f64::midpoint(LEFT, RIGHT);
            }
        }
        svg + "</svg>\n"
    }
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, more: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"ink\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {more}>{words}</text>"
    );
}

fn rule(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

/// Writes a dot for the first line and a square for the second.
fn mark(svg: &mut String, line: usize, x: f64, y: f64) {
    let _ = if line == 0 {
        writeln!(svg, "<circle class=\"d0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>")
    } else {
        let (x, y) = (x - 3.5, y - 3.5);
        writeln!(
            svg,
            "<rect class=\"d{line}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"7\" height=\"7\"/>"
        )
    };
}

/// Returns ticks from 0 to `most` or just above, in round steps.
fn ticks(most: f64) -> Vec<f64> {
    let wanted = most / 5.0;
    let power = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|times| times * power);
    let step = step.into_iter().find(|step| *step >= wanted * 0.999).unwrap_or(power);
    let mut ticks = vec![0.0];
    while ticks[ticks.len() - 1] < most * 0.999 {
        ticks.push(ticks[ticks.len() - 1] + step);
    }
    ticks
}

/// Formats integers with thousands separators, and other numbers with one decimal.
pub fn grouped(number: f64) -> String {
    if number.fract() > 1e-9 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_ticks_reach_the_last_point() {
        for most in [1.0, 3.7, 99.0, 100.0, 163.2, 1000.0, 10_000.0, 1_000_000.0] {
            let ticks = ticks(most);
            assert!(ticks[ticks.len() - 1] >= most * 0.999, "{most}: {ticks:?}");
            assert!((3..=8).contains(&ticks.len()), "{most}: {ticks:?}");
        }
    }

    #[test]
    fn number_is_grouped_by_thousands() {
        let numbers = [0.0, 999.0, 1000.0, 1_234_567.0, 2.5].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567", "2.5"]);
    }
}
