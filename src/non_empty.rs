//! A list that contains at least one item.

use std::ops::Deref;

/// A list of one or more items.
///
/// Dereferences to a slice. There is no way to construct an empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// Wraps `items`, or returns `None` if there are none.
    pub fn new(items: Vec<T>) -> Option<Self> {
        (!items.is_empty()).then_some(Self(items))
    }

    /// The first item.
    pub fn first(&self) -> &T {
        &self.0[0] // `new` accepts no empty list
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_without_items_is_rejected() {
        assert_eq!(NonEmpty::<u8>::new(Vec::new()), None);
        let one = NonEmpty::new(vec![7]).expect("one item");
        assert_eq!((one.first(), one.len()), (&7, 1));
    }
}
