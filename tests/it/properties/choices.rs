//! Random decisions as plain bytes: cheap to draw, and they shrink to zeros,
//! which every draw reads as its simplest value.

use proptest::collection::{VecStrategy, vec};
use proptest::num::u8::Any;

/// The most decisions of one case; what lies beyond is zero.
const LENGTH: usize = 220;

/// Draws the decisions of a case.
pub(super) fn strategy() -> VecStrategy<Any> {
    vec(proptest::num::u8::ANY, LENGTH)
}

/// Reads decisions one by one.
pub(super) struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % end
    }

    /// One of these.
    pub(super) fn one<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// True in about `part` of `whole` cases; false when shrunk.
    pub(super) fn chance(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) >= whole - part
    }
}
