//! Freeing the room of what no snapshot needs.
//!
//! In two steps, so that a backup on another machine that just found a blob to be there is never left without it: a
//! prune marks packs, and the first one a day later removes them, unless somebody needs them again by then.

use jiff::{Span, Timestamp};
use rustic_core::{LimitOption, PruneOptions};

use super::{Access, Vault};
use crate::error::Result;

/// How long marked packs stay: longer than any backup may run without looking again.
const MARKED: i64 = 23;

/// What a prune frees, in packs and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Packs that an earlier prune marked, and that are removed now.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Bytes that an earlier prune marked, and that stay a while.
    pub waiting_bytes: u64,
    /// When the last of them may go.
    pub waiting_until: Option<Timestamp>,
    /// Bytes that nobody needs any more, and that are marked now.
    pub marked_bytes: u64,
    /// Bytes that are written anew, because what is needed stood between what is not.
    pub repacked_bytes: u64,
    /// Packs that interrupted runs left, and their bytes, which no index knows.
    pub unknown: u64,
    /// Their bytes.
    pub unknown_bytes: u64,
    /// Marked packs that somebody needs again.
    pub recovered: u64,
    /// Bytes that snapshots need.
    pub used_bytes: u64,
    /// Bytes that nobody needs but that stay, because freeing them is not worth the work.
    pub unused_bytes: u64,
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Thrift {
    /// The share of bytes that nobody needs and that may stay, in percent.
    pub max_unused: u64,
    /// The most bytes that are written anew; None: any.
    pub max_repack: Option<u64>,
}

impl Vault {
    /// Says what could be freed and, unless `dry`, frees it.
    ///
    /// # Errors
    /// [`Locked`](crate::error::Kind::Locked): somebody is at work. Or the store cannot be read or written.
    pub fn prune(&self, thrift: Thrift, dry: bool) -> Result<Freed> {
        // Not even a look makes sense while somebody writes: what he writes would seem to be of no use.
        let _lock = self.lock(if dry { Access::Shared } else { Access::Exclusive })?;
        let mut options = PruneOptions::default();
        options.max_unused = LimitOption::Percentage(thrift.max_unused);
        options.max_repack = thrift
            .max_repack
            .map_or(LimitOption::Unlimited, |bytes| LimitOption::Size(bytesize::ByteSize(bytes)));
        options.keep_delete = Span::new().hours(MARKED);
        options.instant_delete = false;
        let repo = self.repository()?;
        let plan = self.call("cannot look for what no snapshot needs", || repo.prune_plan(&options))?;
        let size = plan.stats.size_sum();
        let freed = Freed {
            removed: plan.stats.packs_to_delete.remove,
            removed_bytes: plan.stats.size_to_delete.remove,
            waiting_bytes: plan.stats.size_to_delete.keep,
            waiting_until: self.marked_until()?,
            marked_bytes: size.remove + size.repackrm,
            repacked_bytes: size.repack,
            unknown: plan.stats.packs_unref,
            unknown_bytes: plan.stats.size_unref,
            recovered: plan.stats.packs_to_delete.recover,
            used_bytes: size.used,
            unused_bytes: size.unused_after_prune(),
        };
        if !dry {
            self.call("cannot free what no snapshot needs", || repo.prune(&options, plan))?;
            self.store().flush()?;
        }
        Ok(freed)
    }

    /// When the packs that are marked now may all be removed.
    fn marked_until(&self) -> Result<Option<Timestamp>> {
        let indexes = self.index_files()?.into_iter().filter_map(|(_, index)| index);
        let marked = indexes.flat_map(|index| index.packs_to_delete).filter_map(|pack| pack.time).max();
        Ok(marked.and_then(|time| time.checked_add(Span::new().hours(MARKED)).ok()))
    }
}
