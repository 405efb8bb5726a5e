//! What a run did, in one line.

use crate::figures::{count, duration, of, size};
use crate::run::{Run, Status};

/// What a run did, in one line.
pub(super) fn summary(run: &Run) -> String {
    let counts = &run.outcome.counts;
    let looked = match counts.messages {
        true => of(counts.files, "message", "messages"),
        false => of(counts.files, "file", "files"),
    };
    let took = duration(run.duration());
    if run.outcome.status == Status::Paused && counts.copied_bytes > 0 {
        // How much of it is kept is another question: the vault's account answers it.
        return format!("{} in {looked} read in {took}", size(counts.copied_bytes));
    }
    let seen = if counts.messages { "in the archive" } else { "looked at" };
    if !counts.changed() {
        return format!("{looked} {seen} in {took}");
    }
    let parts = [
        (counts.created, "new"),
        (counts.replaced, "replaced"),
        (counts.updated, "updated"),
        (counts.deleted, "deleted"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{} {word}", count(*n))).collect();
    let copied = size(counts.copied_bytes);
    format!("{}; {copied} {}, {looked} {seen} in {took}", parts.join(", "), counts.moved())
}
