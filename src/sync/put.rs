//! One entry at a time: writing it, or giving it new metadata.

use std::io;

use super::execute::{Attempt, Executor, Node, Tally};
use crate::entry::{Entry, Kind, Name, RelPath};
use crate::failures::{error, said};
use crate::journal::Op;
use crate::replica::{Place, Put, Replica, Seen};
use crate::run::Severity;

/// What we wanted where either side may be to blame.
const COPY: &str = "cannot copy to the target";

impl<S: Replica, T: Replica> Executor<'_, S, T> {
    /// Writes an entry that is no folder; tries once more when it changes under our hands. True if it is there now.
    pub(super) fn put(
        &self,
        tally: &mut Tally,
        source: &S::Dir,
        target: &T::Dir,
        path: &RelPath,
        mut entry: Entry,
        place: Place<'_>,
    ) -> bool {
        for _ in 0..2 {
            let put = match entry.kind {
                Kind::Folder => Err((COPY, io::Error::other("it became a folder meanwhile"))),
                Kind::File => self.put_file(source, target, path, &entry, place),
                _ => self.target.put_special(target, path, &entry, place).map_err(|cause| (COPY, cause)),
            };
            match put {
                Ok(Put::Done(lost)) => {
                    self.done(tally, path, &entry, matches!(place, Place::Taken(_)));
                    self.lost(tally, path, lost);
                    return true;
                }
                Ok(Put::SourceChanged) => {}
                Ok(Put::TargetChanged) => {
                    self.target_changed(tally, path);
                    return false;
                }
                Err(_) if self.meter.is_cancelled() => return false,
                Err((what, cause)) => {
                    // It vanished since the survey: the next one will see.
                    let gone = cause.kind() == io::ErrorKind::NotFound
                        && matches!(self.source.stat(source, &entry.name), Ok(None));
                    if !gone {
                        self.fail_writing(tally, path, what, &cause);
                    }
                    return false;
                }
            }
            match self.source.stat(source, &entry.name) {
                Ok(Some(now)) => entry = now,
                Ok(None) => return false,
                Err(cause) => {
                    self.fail(tally, error(path, "cannot read", &cause));
                    return false;
                }
            }
        }
        let cause = "changed while it was copied: the target keeps what it had";
        self.fail(tally, said(Severity::Warning, path, cause, Some("the next run will try again")));
        false
    }

    fn put_file(
        &self,
        source: &S::Dir,
        target: &T::Dir,
        path: &RelPath,
        entry: &Entry,
        place: Place<'_>,
    ) -> Attempt<Put> {
        let mut content = self.source.open(source, entry).map_err(|cause| ("cannot read", cause))?;
        let progress = |bytes| {
            self.meter.bytes(bytes);
            !self.meter.is_cancelled()
        };
        self.target
            .put_file(target, path, entry, &mut content, place, &progress)
            .map_err(|cause| (COPY, cause))
    }

    fn done(&self, tally: &mut Tally, path: &RelPath, entry: &Entry, replaced: bool) {
        let bytes = if entry.kind == Kind::File { entry.size } else { 0 };
        if entry.kind == Kind::File {
            self.meter.file();
            tally.counts.copied_bytes += bytes;
        }
        let (count, op) = if replaced {
            (&mut tally.counts.replaced, Op::Replaced)
        } else {
            (&mut tally.counts.created, Op::Created)
        };
        *count += 1;
        self.log(op, path, bytes, "");
    }

    pub(super) fn mark(&self, tally: &mut Tally, node: &Node<S, T>, name: &Name, was: &Seen) {
        let path = node.path.join(name);
        let (entry, there) =
            match (self.source.stat(&node.source, name), self.target.stat(&node.target, name)) {
                (Ok(Some(entry)), Ok(Some(there))) => (entry, there),
                (Ok(None), _) | (_, Ok(None)) => return,
                (Err(cause), _) | (_, Err(cause)) => {
                    return self.fail(tally, error(&path, "cannot set mode and times", &cause));
                }
            };
        if !was.is(&there) {
            return self.target_changed(tally, &path);
        }
        let attributes = match entry.kind {
            Kind::File | Kind::Folder => self.source.attributes(&node.source, Some(name)),
            _ => Ok(Vec::new()),
        };
        tally.counts.updated += 1;
        self.log(Op::Updated, &path, 0, "");
        self.dress(tally, &path, &node.target, Some(name), &entry, Some(attributes));
    }
}
