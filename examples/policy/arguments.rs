//! Arguments of the command line.

use std::path::PathBuf;

/// The usage text.
pub(crate) const USAGE: &str = "\
usage: policy --claims FILE [--issuer NAME] [--room NAME] [--agent NAME]… [--room-config JSON]
              [--policy FILE] [--ask] [--json]
       policy --cases FILE [--policy FILE] [--json]";

/// The arguments.
#[derive(Default)]
pub(crate) struct Arguments {
    /// `--claims`; `-` is standard input.
    pub(crate) claims: Option<PathBuf>,
    pub(crate) issuer: Option<String>,
    pub(crate) room: Option<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) room_config: Option<String>,
    pub(crate) cases: Option<PathBuf>,
    pub(crate) policy: Option<PathBuf>,
    /// Whether the app is asked, if the rule that matches asks it.
    pub(crate) may_ask: bool,
    pub(crate) as_json: bool,
}

impl Arguments {
    /// Reads the arguments. Only `--agent` may be repeated.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        while let Some(name) = words.next() {
            if name == "--json" {
                arguments.as_json = true;
                continue;
            }
            if name == "--ask" {
                arguments.may_ask = true;
                continue;
            }
            let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
            let is_first = match name.as_str() {
                "--claims" => arguments.claims.replace(value()?.into()).is_none(),
                "--issuer" => arguments.issuer.replace(value()?).is_none(),
                "--room" => arguments.room.replace(value()?).is_none(),
                "--room-config" => arguments.room_config.replace(value()?).is_none(),
                "--cases" => arguments.cases.replace(value()?.into()).is_none(),
                "--policy" => arguments.policy.replace(value()?.into()).is_none(),
                "--agent" => {
                    arguments.agents.push(value()?);
                    true
                }
                _ => return Err(format!("{name} is unknown")),
            };
            if !is_first {
                return Err(format!("{name} is given twice"));
            }
        }
        let asks = arguments.room.is_some()
            || arguments.may_ask
            || arguments.issuer.is_some()
            || arguments.room_config.is_some()
            || !arguments.agents.is_empty();
        match (&arguments.claims, &arguments.cases) {
            (Some(_), None) => Ok(arguments),
            (None, Some(_)) if !asks => Ok(arguments),
            (None, Some(_)) => {
                Err("--cases contains the requests: leave out the other arguments".to_owned())
            }
            _ => Err("one of --claims and --cases must be given".to_owned()),
        }
    }
}
