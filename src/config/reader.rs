//! Reads variables one by one and collects every fault, so that reading never stops early.

use std::borrow::Cow;
use std::fmt;

use super::variables::VARIABLES;

/// The faults that keep the function from starting: one line per variable, and never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<VariableFault>,
}

/// The name of a variable. Names of a named issuer's variables are composed.
pub(super) type Name = Cow<'static, str>;

/// A fault of one variable, or of one line of the policy. The reason quotes nothing, so that a secret
/// in the wrong variable cannot reach the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct VariableFault {
    variable: Name,
    /// Completes the sentence "`variable` …".
    reason: Cow<'static, str>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("invalid configuration:")?;
        for VariableFault { variable, reason } in &self.faults {
            write!(formatter, "\n  {variable} {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The environment, with the faults found so far.
pub(super) struct Reader<L> {
    lookup: L,
    faults: Vec<VariableFault>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self { lookup, faults: Vec::new() }
    }

    /// Returns the value of the variable. An empty one counts as not set, because `sam local` passes
    /// every variable that the template declares.
    pub(super) fn text(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).filter(|value| !value.is_empty())
    }

    /// Parses the variable, or its default from [`VARIABLES`], which must be valid.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        variable: impl Into<Name>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let variable = variable.into();
        match self.text(&variable) {
            Some(value) => self.keep(variable, parse(&value)),
            None => parse(default_of(&variable)).ok(),
        }
    }

    /// Parses the variable if it is set.
    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        variable: impl Into<Name>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let variable = variable.into();
        let value = self.text(&variable)?;
        self.keep(variable, parse(&value))
    }

    /// Parses the variable, which must be set.
    pub(super) fn required<T, E: fmt::Display>(
        &mut self,
        variable: impl Into<Name>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let variable = variable.into();
        if let Some(value) = self.text(&variable) {
            return self.keep(variable, parse(&value));
        }
        self.fault(variable, "is not set");
        None
    }

    pub(super) fn fault(
        &mut self,
        variable: impl Into<Name>,
        reason: impl Into<Cow<'static, str>>,
    ) {
        let fault = VariableFault { variable: variable.into(), reason: reason.into() };
        // Two parts can need the same variable.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn keep<T, E: fmt::Display>(&mut self, variable: Name, read: Result<T, E>) -> Option<T> {
        read.map_err(|reason| self.fault(variable, reason.to_string())).ok()
    }

    /// Returns every fault, or `value`, which is present if there is none.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(ConfigError { faults: self.faults }),
        }
    }
}

/// Returns the default of a variable from [`VARIABLES`].
pub(super) fn default_of(variable: &str) -> &'static str {
    VARIABLES.iter().find(|known| known.name == variable).map_or("", |known| known.default)
}
