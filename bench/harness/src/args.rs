//! The command line.

use std::time::Duration;

use crate::Failure;
use crate::tokens::Alg;
use crate::upstream::Roots;

pub const USAGE: &str = "\
usage: roomkey-bench cold|warm|all [options] NAME=PATH/bootstrap ...

  --base NAME           the target that every ratio is against, not asked for tokens [hello]
  --rounds N            rounds, each starting every target once [21 cold, 9 warm]
  --delay MS            how long each upstream answer is held back on cold starts [30]
  --roots system|own    what targets trust besides the CA of the run [system]
  --alg RS256|ES256|both  what signs the bearer tokens of warm requests [both]
  --requests N          measured invocations per round and target [2000]
  --warmup N            invocations before those [500]
  --pin same|none       warm only: harness and target on one core, or free [same]
  --env NAME:KEY=VALUE  a variable for one target; may be given several times";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Cold,
    Warm,
    All,
}

pub struct Args {
    pub mode: Mode,
    pub base: String,
    pub rounds: Option<usize>,
    pub delay: Duration,
    pub roots: Roots,
    pub algs: Vec<Alg>,
    pub requests: usize,
    pub warmup: usize,
    pub pin: bool,
    /// Name and path.
    pub targets: Vec<(String, String)>,
    /// Target, key and value.
    pub env: Vec<(String, String, String)>,
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mode = match words.next().as_deref() {
            Some("cold") => Mode::Cold,
            Some("warm") => Mode::Warm,
            Some("all") => Mode::All,
            _ => return Err("which of cold, warm and all?".into()),
        };
        let mut args = Self {
            mode,
            base: "hello".to_owned(),
            rounds: None,
            delay: Duration::from_millis(30),
            roots: Roots::System,
            algs: vec![Alg::Rs256, Alg::Es256],
            requests: 2000,
            warmup: 500,
            pin: true,
            targets: Vec::new(),
            env: Vec::new(),
        };
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                let (name, path) = word.split_once('=').ok_or(format!("not NAME=PATH: {word}"))?;
                args.targets.push((name.to_owned(), path.to_owned()));
                continue;
            }
            let value = words.next().ok_or(format!("{word} needs a value"))?;
            args.option(&word, &value)?;
        }
        if !args.targets.iter().any(|(name, _)| *name == args.base) {
            return Err(format!("no target is named {}", args.base).into());
        }
        if args.rounds == Some(0) || args.requests == 0 {
            return Err("rounds and requests start at 1".into());
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
            ("--requests", number) => self.requests = number.parse()?,
            ("--warmup", number) => self.warmup = number.parse()?,
            ("--pin", "same") => self.pin = true,
            ("--pin", "none") => self.pin = false,
            ("--env", setting) => {
                let parts = setting.split_once(':').and_then(|(name, pair)| {
                    let (key, value) = pair.split_once('=')?;
                    Some((name.to_owned(), key.to_owned(), value.to_owned()))
                });
                self.env.push(parts.ok_or(format!("not NAME:KEY=VALUE: {setting}"))?);
            }
            _ => return Err(format!("unknown: {word} {value}").into()),
        }
        Ok(())
    }
}
