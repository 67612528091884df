//! The classifier itself: text in, intents with probabilities and reasons out. No I/O, no clock, no globals;
//! the same examples and the same seed give the same model, bit by bit.
//!
//! Words, pairs of words and letters (`features`), a linear support vector machine for each intent against the
//! rest (`linear`), a probability that was measured on examples the model had not seen (`calibrate`,
//! `evaluate`). A linear model, because a tenant's is trained in a second from a few dozen examples, is small
//! enough for thousands of tenants in one process, and can say which words decided.
//!
//! The solver is ours. linfa-svm 0.8 and smartcore 0.7 take dense matrices (15,000 short texts over 120,000 features
//! would be 7 GB), and smartcore trains a machine for each pair of labels. LIBLINEAR itself would bring C++ into the
//! build for what its method takes in 80 lines.

pub mod calibrate;
mod codec;
pub mod evaluate;
pub mod features;
pub mod linear;
mod machine;
mod trained;

pub use codec::ModelError;
pub use evaluate::{Point, Report, cross_validate};
pub use trained::{Candidate, Model, Word};

/// A text and the intent that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Example<'a> {
    /// The intent's id, or `NONE`.
    pub label: i64,
    pub text: &'a str,
}

/// The label of texts that belong to no intent. Ids of intents start at 1.
pub const NONE: i64 = 0;

/// A generator of numbers for shuffling (SplitMix64, Steele et al. 2014): small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Shuffler(u64);

impl Shuffler {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = (self.next() % (i as u64 + 1)) as usize;
            items.swap(i, j);
        }
    }
}
