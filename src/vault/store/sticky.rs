//! The first failure to store something, which every later write tells too.

use std::sync::Mutex;

use crate::error::{Error, Result};
use crate::mutex::lock;

/// Nothing, or the first failure.
#[derive(Debug, Default)]
pub(super) struct Sticky(Mutex<Option<Error>>);

impl Sticky {
    /// Fails if anything has failed.
    pub(super) fn check(&self) -> Result<()> {
        match &*lock(&self.0) {
            Some(error) => Err(error.again()),
            None => Ok(()),
        }
    }

    /// Keeps a failure, if it is the first, and hands the result on.
    pub(super) fn keep<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            let mut kept = lock(&self.0);
            kept.get_or_insert_with(|| error.again());
        }
        result
    }
}
