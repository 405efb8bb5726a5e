//! The first failure to store something, which every later write tells too.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// Nothing, or the first failure.
#[derive(Debug, Default)]
pub(super) struct Sticky(Mutex<Option<Error>>);

impl Sticky {
    /// Fails if anything has failed.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.again()),
            None => Ok(()),
        }
    }

    /// Keeps a failure, if it is the first, and hands the result on.
    pub(super) fn keep<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert_with(|| error.again());
        }
        result
    }
}
