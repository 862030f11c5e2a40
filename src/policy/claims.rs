//! The caller's claims while a decision is made: each is looked for once, however many rules ask.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::json;

/// Paths that are remembered. Who asks for more looks for the rest each time.
const KEPT: usize = 16;

/// Claims of one caller, with those that were looked up already.
pub(super) struct ClaimLookup<'a> {
    all: &'a Map<String, Value>,
    asked: RefCell<Vec<(&'a str, Claim<'a>)>>,
}

/// What is known of a claim.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    /// Where it is there.
    pub(super) value: Option<&'a Value>,
    /// Where it is a text, and none that would itself be a pattern: somebody else may read what is made
    /// of it.
    pub(super) plain_text: Option<&'a str>,
}

impl<'a> ClaimLookup<'a> {
    pub(super) fn new(all: &'a Map<String, Value>) -> Self {
        Self { all, asked: RefCell::new(Vec::with_capacity(KEPT)) }
    }

    /// The claim at `path`.
    pub(super) fn find(&self, path: &'a str) -> Claim<'a> {
        let mut asked = self.asked.borrow_mut();
        if let Some((_, claim)) = asked.iter().find(|(known, _)| *known == path) {
            return *claim;
        }
        let value = json::find(self.all, path);
        let is_plain = |text: &&str| !text.is_empty() && !text.contains(['*', '{']);
        let plain_text = value.and_then(Value::as_str).filter(is_plain);
        let claim = Claim { value, plain_text };
        if asked.len() < KEPT {
            asked.push((path, claim));
        }
        claim
    }
}
