//! The policy: from the variable, from a file next to the binary, or built in.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;

use super::IssuerConfig;
use super::reader::Reader;
use crate::policy::{BUILT_IN, Policy, PolicyFault};
use crate::reason::Reason;

/// The name of the file, and of the built-in policy in faults.
const FILE: &str = "policy.toml";

/// Reads `POLICY`, or else `policy.toml` in the folder `LAMBDA_TASK_ROOT`, or else the built-in policy.
pub(super) fn read<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    issuers: Option<&[IssuerConfig]>,
) -> Option<Policy> {
    let (place, text) = match reader.text("POLICY") {
        Some(text) => ("POLICY", Cow::Owned(text)),
        None => match file(reader.text("LAMBDA_TASK_ROOT").as_deref()) {
            Ok(Some(text)) => (FILE, Cow::Owned(text)),
            Ok(None) => (FILE, Cow::Borrowed(BUILT_IN)),
            Err(reason) => {
                reader.fault(FILE, reason.0);
                return None;
            }
        },
    };
    let (policy, faults) = match Policy::parse(&text) {
        Ok(policy) => {
            let names = issuers.map(|issuers| issuers.iter().filter_map(|it| it.name.as_deref()));
            let faults = names.map(|names| policy.unknown_issuers(&names.collect::<Vec<_>>()));
            (Some(policy), faults.unwrap_or_default())
        }
        Err(error) => (None, error.faults().to_vec()),
    };
    let is_valid = faults.is_empty();
    for PolicyFault { line, reason } in faults {
        reader.fault(format!("{place}:{line}:"), reason);
    }
    policy.filter(|_| is_valid)
}

/// The text of the file in `folder`; `None` if there is no such file.
fn file(folder: Option<&str>) -> Result<Option<String>, Reason> {
    let Some(folder) = folder else { return Ok(None) };
    match std::fs::read_to_string(Path::new(folder).join(FILE)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) => Err(Reason("next to the binary must be a readable file of UTF-8 text")),
    }
}
