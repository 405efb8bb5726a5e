//! A closer look at entries that are equal by size and time, but were touched since they were copied.

use std::io;

use super::{Dirs, Found, Survey};
use crate::entry::{Entry, Name, RelPath};
use crate::failures::error;
use crate::replica::{Content, Replica};
use crate::run::{Failure, Severity};
use crate::sync::join::Decision;

impl<S: Replica, T: Replica> Survey<'_, S, T> {
    /// Decides an entry that was touched in the source since it was copied.
    pub(super) fn look_closer<'e>(
        &self,
        found: &mut Found,
        dirs: &Dirs<S, T>,
        path: &RelPath,
        source: &'e Entry,
        target: &'e Entry,
        racy: bool,
    ) -> Decision<'e> {
        let content = || if racy { self.contents_differ(dirs, source, target) } else { Ok(false) };
        match content() {
            Ok(true) => return Decision::Replace(source, target),
            Ok(false) => {}
            Err(cause) => found.plan.failures.add(Failure {
                severity: Severity::Warning,
                ..error(path, "cannot compare the contents", &cause)
            }),
        }
        match self.attributes_differ(dirs, Some(&source.name)) {
            Ok(true) => Decision::Mark(source, target),
            // What may not be read may not be compared; that it is otherwise equal was seen.
            Ok(false) | Err(_) => Decision::Same(source, target),
        }
    }

    pub(super) fn attributes_differ(&self, dirs: &Dirs<S, T>, name: Option<&Name>) -> io::Result<bool> {
        let Some(target) = self.target else { return Ok(false) };
        Ok(self.source.attributes(&dirs.source, name)? != target.attributes(&dirs.target, name)?)
    }

    fn contents_differ(&self, dirs: &Dirs<S, T>, source: &Entry, target: &Entry) -> io::Result<bool> {
        let Some(side) = self.target else { return Ok(false) };
        let mut ours = self.source.open(&dirs.source, source)?;
        let mut theirs = side.open(&dirs.target, target)?;
        let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let n = fill(&mut ours, &mut a)?;
            let m = fill(&mut theirs, &mut b)?;
            if a[..n] != b[..m] {
                return Ok(true);
            }
            if n == 0 || self.meter.is_cancelled() {
                return Ok(false);
            }
        }
    }
}

fn fill(content: &mut impl Content, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match content.read(&mut buffer[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}
