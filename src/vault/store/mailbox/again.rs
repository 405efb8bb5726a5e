//! Trying again: connections break, and servers say "later".

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Inner;
use super::door::Trouble;
use super::pool::Lease;
use crate::error::Result;
use crate::mail::imap::{Failed, Meaning};

/// How often somebody who waits looks whether there is a hurry.
const STEP: Duration = Duration::from_millis(100);

/// The longest wait for a server that never answered: mostly it is not there, or called by a wrong name.
const FIRST_WAIT: Duration = Duration::from_secs(1);

impl Inner {
    /// Does something over a connection, and again if that may help. None: there is no such folder.
    pub(super) fn attempt<T>(
        &self,
        what: &str,
        work: impl FnMut(&mut Lease<'_>) -> std::result::Result<T, Failed>,
    ) -> Result<Option<T>> {
        self.attempt_counted(what, &mut 0, work)
    }

    /// The same. `had` becomes how many tries in a row had a connection with the folder open, up to the last one.
    pub(super) fn attempt_counted<T>(
        &self,
        what: &str,
        had: &mut usize,
        mut work: impl FnMut(&mut Lease<'_>) -> std::result::Result<T, Failed>,
    ) -> Result<Option<T>> {
        self.patiently(|| {
            let before = std::mem::take(had);
            let mut lease = self.pool.lease()?;
            *had = before + 1;
            self.over(&mut lease, what, &mut work)
        })
    }

    /// Tries something once.
    pub(super) fn once<T>(
        &self,
        what: &str,
        mut work: impl FnMut(&mut Lease<'_>) -> std::result::Result<T, Failed>,
    ) -> Result<T> {
        let tried = self.pool.lease().and_then(|mut lease| self.over(&mut lease, what, &mut work));
        tried.map_err(|trouble| match trouble {
            Trouble::NoFolder => self.no_folder(),
            Trouble::Again(error) | Trouble::Final(error) => error,
        })
    }

    fn over<T>(
        &self,
        lease: &mut Lease<'_>,
        what: &str,
        work: &mut dyn FnMut(&mut Lease<'_>) -> std::result::Result<T, Failed>,
    ) -> std::result::Result<T, Trouble> {
        work(lease).map_err(|failed| {
            lease.astray |= failed.meaning() == Meaning::Later;
            self.pool.door.trouble(failed, &format!("cannot {what} {}", self.place))
        })
    }

    /// Tries something, and again after a while as long as that may help. None: there is no such folder.
    pub(super) fn patiently<T>(
        &self,
        mut work: impl FnMut() -> std::result::Result<T, Trouble>,
    ) -> Result<Option<T>> {
        let mut tries = 0..;
        loop {
            match work() {
                Ok(done) => return Ok(Some(done)),
                Err(Trouble::NoFolder) => return Ok(None),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(error)) => {
                    if !tries.next().is_some_and(|tries| self.wait(tries)) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits before one more try after so many; whether that is worth it.
    pub(super) fn wait(&self, tries: usize) -> bool {
        let wait = self.retries.get(tries).filter(|wait| self.pool.door.has_worked() || **wait <= FIRST_WAIT);
        wait.is_some_and(|wait| self.rest(*wait))
    }

    /// Waits, unless somebody is in a hurry; whether nobody is.
    pub(super) fn rest(&self, mut left: Duration) -> bool {
        while !left.is_zero() && !self.hurried.load(Relaxed) {
            let step = left.min(STEP);
            (self.sleep)(step);
            left -= step;
        }
        !self.hurried.load(Relaxed)
    }

    /// A connection for much, waited for as patiently as for anything else.
    pub(super) fn lease(&self) -> Result<Lease<'_>> {
        self.patiently(|| self.pool.lease_now())?.ok_or_else(|| self.no_folder())
    }
}
