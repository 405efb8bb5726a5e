//! How full the mailbox may get: one that is full receives no mail at all, and pruning must append before it deletes.

use super::{Inner, Lease, Trouble};
use crate::error::{Error, Result};
use crate::figures::size;
use crate::mail::imap::Failed;
use crate::mutex::lock;

/// Packs are stored up to so many percent of the quota. Locks, indexes and snapshots, which are small, go beyond.
const PERCENT: u64 = 85;

/// The server is asked again after so many bytes: others fill the mailbox too.
const ASK_AFTER: u64 = 64 << 20;

/// What is known of the room.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Bytes that packs may still take, as they were when the server was asked, and what was taken since. None: it was
    /// not asked yet.
    left: Option<u64>,
    taken: u64,
    /// What the server said: used, limit.
    said: (u64, u64),
}

impl Watch {
    fn is_stale(&self) -> bool {
        self.left.is_none_or(|left| self.taken >= ASK_AFTER.min(left / 2))
    }

    fn told(&mut self, used: u64, limit: u64) {
        let most = limit / 100 * PERCENT + limit % 100 * PERCENT / 100;
        *self = Self { left: Some(most.saturating_sub(used)), taken: 0, said: (used, limit) };
    }
}

impl Inner {
    /// A connection, after the server was asked how much room there is, if that may have changed. One that hangs up
    /// over it is asked again only so often.
    pub(super) fn look_at_room(&self) -> Result<Lease<'_>> {
        let looked = self.patiently(|| {
            let mut lease = self.lease().map_err(Trouble::Final)?;
            if !lock(&self.room).is_stale() {
                return Ok(lease);
            }
            let quota = match lease.session.quota(&self.folder) {
                // Some that could be asked do not answer.
                Err(Failed::No(_)) => None,
                quota => quota.map_err(|failed| self.pool.door.trouble(failed, &self.cannot_store()))?,
            };
            let mut watch = lock(&self.room);
            match quota {
                Some(quota) => watch.told(quota.used, quota.limit),
                None => watch.told(0, u64::MAX),
            }
            Ok(lease)
        })?;
        looked.ok_or_else(|| self.no_folder())
    }

    /// Takes room for a pack's letter.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn take_room(&self, bytes: u64) -> Result<()> {
        let mut watch = lock(&self.room);
        if watch.left.is_some_and(|left| watch.taken + bytes > left) {
            let (used, limit) = watch.said;
            return Err(Error::other(format!(
                "{} is nearly full: {} of {} are used, and a vault may fill {PERCENT} % so that mail still arrives",
                self.place,
                size(used + watch.taken),
                size(limit)
            ))
            .hint("make room in the mailbox, keep fewer snapshots and prune, or get more room from its provider"));
        }
        watch.taken += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_may_fill_85_percent_and_the_server_is_asked_in_time() {
        let mut watch = Watch::default();
        assert!(watch.is_stale());
        for (used, limit, left) in [
            (0, 1000, 850),
            (800, 1000, 50),
            (900, 1000, 0),
            (0, 199, 169),
            (0, u64::MAX, u64::MAX / 100 * 85 + 12),
        ] {
            watch.told(used, limit);
            assert_eq!(watch.left, Some(left), "{used} of {limit}");
        }
        assert!(!watch.is_stale());
        watch.taken = ASK_AFTER;
        assert!(watch.is_stale());
        watch.told(0, 1000);
        watch.taken = 425;
        assert!(watch.is_stale());
    }
}
