//! Reasons for which values are refused.

use std::fmt;

/// The reason for which a value is refused: completes a sentence that starts with the value's name,
/// such as "`RUST_LOG` must be …". Never contains the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub &'static str);

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for Reason {}
