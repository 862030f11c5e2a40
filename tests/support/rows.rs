//! Rows of a table that wait for time limits.

use futures_util::stream::{self, StreamExt as _};

/// Runs all rows, four at a time: more would delay each other beyond short time limits.
pub(crate) async fn four_at_a_time<F: Future<Output = ()>>(rows: impl IntoIterator<Item = F>) {
    stream::iter(rows.into_iter().map(Box::pin)).buffer_unordered(4).collect::<()>().await;
}
