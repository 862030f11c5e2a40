//! Faults of a policy with their lines, and readers of TOML values.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::non_empty::NonEmpty;
use crate::reason::Reason;

/// A value with its position in the text.
pub(super) type Located<'i> = Spanned<DeValue<'i>>;

/// The faults of a rejected policy. Quotes nothing of the text, which may name people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    faults: NonEmpty<PolicyFault>,
}

/// A fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PolicyFault {
    /// The line, from 1.
    pub line: usize,
    /// The fault and its remedy.
    pub reason: Cow<'static, str>,
}

impl PolicyError {
    /// All faults, ordered by line.
    pub fn faults(&self) -> &[PolicyFault] {
        &self.faults
    }
}

/// `LINE: reason` for each fault, on lines of their own.
impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PolicyFault { line, reason }) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{line}: {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// The faults found so far in `text`.
pub(super) struct Faults<'t> {
    text: &'t str,
    found: Vec<PolicyFault>,
}

impl<'t> Faults<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// The line of the byte at `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn add(&mut self, offset: usize, reason: impl Into<Cow<'static, str>>) {
        let fault = PolicyFault { line: self.line(offset), reason: reason.into() };
        self.found.push(fault);
    }

    /// Returns `value` if no fault was found.
    pub(super) fn finish<T>(mut self, value: T) -> Result<T, PolicyError> {
        self.found.sort();
        self.found.dedup();
        NonEmpty::new(self.found).map_or(Ok(value), |faults| Err(PolicyError { faults }))
    }

    /// Reads a value, and adds a fault if it is rejected.
    pub(super) fn read<T>(
        &mut self,
        value: &Located<'_>,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Reason>,
    ) -> Option<T> {
        read(value.get_ref()).map_err(|reason| self.add(value.span().start, reason.0)).ok()
    }

    /// Returns the fields of a table, or adds the fault `wrong`.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Located<'i>,
        wrong: &'static str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.add(value.span().start, wrong);
        }
        table
    }

    /// Returns the items of a list, or adds the fault `wrong` if there are none.
    pub(super) fn list<'v, 'i>(
        &mut self,
        value: &'v Located<'i>,
        wrong: &'static str,
    ) -> &'v [Located<'i>] {
        let items = value.get_ref().as_array().map(AsRef::as_ref).unwrap_or_default();
        if items.is_empty() {
            self.add(value.span().start, wrong);
        }
        items
    }
}

pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Reason> {
    value.as_bool().ok_or(Reason("must be true or false"))
}

/// Reads a string that is not empty.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Reason> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or(Reason("must be a non-empty string"))
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let DeValue::Integer(integer) = value else { return None };
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

pub(super) fn number(
    value: &DeValue<'_>,
    range: RangeInclusive<u32>,
    wrong: Reason,
) -> Result<u32, Reason> {
    let number = integer(value).and_then(|integer| u32::try_from(integer).ok());
    number.filter(|number| range.contains(number)).ok_or(wrong)
}
