//! Command-line arguments.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::tokens::Alg;
use crate::upstream::Roots;

pub const USAGE: &str = "\
usage: roomkey-bench MODE [options] NAME=PATH/bootstrap ... [--peer NAME=PATH/bootstrap] ...

modes:
  cold, warm, all       cold starts, warm requests or both, as ratios to a hello-world
  curves                CPU per request for growing keys, claims, rules and concurrency
  flood                 memory of one process under random tokens, people and rooms
  refresh               the request that finds keys or secret past their TTL

  --base NAME           base of every ratio, which returns no tokens [hello]
  --peer NAME=PATH      alternative that is compared with the first target that is neither a peer
                        nor the base, and that has no limits
  --rounds N            rounds, each of which starts every target once [21 cold, 9 warm and refresh, 7 curves]
  --delay MS            delay of each upstream response [30]
  --roots system|own    root certificates besides the CA of the run [system]
  --alg RS256|ES256|both  signature algorithm of access tokens in warm requests [both]
  --requests N          measured invocations per round and target [2000; 1000 curves; 1000000 flood]
  --warmup N            invocations before the measured ones [500]
  --pin same|none       except cold: harness and target on one core, or unpinned [same]
  --curve NAME          one of keys, claims, rules, colors and concurrency; repeatable
  --csv DIR             directory for the figures of curves and floods [.]
  --plots DIR           directory for the plots of curves and floods [.]
  --env NAME:KEY=VALUE  variable for one target; repeatable";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Cold,
    Warm,
    All,
    Curves,
    Flood,
    Refresh,
}

/// A program to measure.
pub struct Named {
    pub name: String,
    pub path: String,
    pub peer: bool,
}

pub struct Args {
    pub mode: Mode,
    pub base: String,
    pub rounds: Option<usize>,
    pub delay: Duration,
    pub roots: Roots,
    pub algs: Vec<Alg>,
    pub requests: Option<usize>,
    pub warmup: usize,
    pub pin: bool,
    pub curves: Vec<String>,
    pub csv: PathBuf,
    pub plots: PathBuf,
    pub targets: Vec<Named>,
    /// Additional variables, each as target, name and value.
    pub env: Vec<(String, String, String)>,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mode = match words.next().as_deref() {
            Some("cold") => Mode::Cold,
            Some("warm") => Mode::Warm,
            Some("all") => Mode::All,
            Some("curves") => Mode::Curves,
            Some("flood") => Mode::Flood,
            Some("refresh") => Mode::Refresh,
            _ => return Err("the mode must be cold, warm, all, curves, flood or refresh".into()),
        };
        let mut args = Self {
            mode,
            base: "hello".to_owned(),
            rounds: None,
            delay: Duration::from_millis(30),
            roots: Roots::System,
            algs: vec![Alg::Rs256, Alg::Es256],
            requests: None,
            warmup: 500,
            pin: true,
            curves: Vec::new(),
            csv: PathBuf::from("."),
            plots: PathBuf::from("."),
            targets: Vec::new(),
            env: Vec::new(),
        };
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                args.targets.push(named(&word, false)?);
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            args.option(&word, &value)?;
        }
        let alone = matches!(args.mode, Mode::Curves | Mode::Flood);
        let is_absolute = alone || args.mode == Mode::Refresh;
        if alone && args.targets.len() != 1 {
            return Err("curves and flood must have exactly one target".into());
        }
        if !is_absolute && !args.targets.iter().any(|target| target.name == args.base) {
            return Err(format!("no target is named {}", args.base).into());
        }
        if args.rounds == Some(0) || args.requests == Some(0) {
            return Err("rounds and requests must be at least 1".into());
        }
        Ok(args)
    }

    fn option(&mut self, word: &str, value: &str) -> Result<(), Failure> {
        match (word, value) {
            ("--base", name) => name.clone_into(&mut self.base),
            ("--rounds", number) => self.rounds = Some(number.parse()?),
            ("--delay", number) => self.delay = Duration::from_millis(number.parse()?),
            ("--roots", "system") => self.roots = Roots::System,
            ("--roots", "own") => self.roots = Roots::Own,
            ("--alg", "RS256") => self.algs = vec![Alg::Rs256],
            ("--alg", "ES256") => self.algs = vec![Alg::Es256],
            ("--alg", "both") => self.algs = vec![Alg::Rs256, Alg::Es256],
            ("--requests", number) => self.requests = Some(number.parse()?),
            ("--warmup", number) => self.warmup = number.parse()?,
            ("--pin", "same") => self.pin = true,
            ("--pin", "none") => self.pin = false,
            ("--peer", target) => self.targets.push(named(target, true)?),
            ("--curve", name) => self.curves.push(name.to_owned()),
            ("--csv", directory) => self.csv = directory.into(),
            ("--plots", directory) => self.plots = directory.into(),
            ("--env", setting) => {
                let parts = setting.split_once(':').and_then(|(name, pair)| {
                    let (key, value) = pair.split_once('=')?;
                    Some((name.to_owned(), key.to_owned(), value.to_owned()))
                });
                self.env.push(parts.ok_or(format!("not NAME:KEY=VALUE: {setting}"))?);
            }
            _ => return Err(format!("unknown option: {word} {value}").into()),
        }
        Ok(())
    }
}

fn named(word: &str, peer: bool) -> Result<Named, Failure> {
    let (name, path) = word.split_once('=').ok_or(format!("not NAME=PATH: {word}"))?;
    Ok(Named { name: name.to_owned(), path: path.to_owned(), peer })
}
