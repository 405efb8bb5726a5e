//! A lock object: restic's JSON, encrypted with the master key.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::entry::show;
use crate::error::{Context, Result};
use crate::vault::crypt::Key;
use crate::vault::store::Id;

/// A lock that was not renewed for so long is nobody's any more. restic's figure.
pub(super) const STALE: SignedDuration = SignedDuration::from_mins(30);

/// The most bytes of a lock: one is 200 bytes, and comes from outside.
const MOST: usize = 64 << 10;

/// What restic writes in front of an object that it compressed.
const COMPRESSED: u8 = 2;

/// Where a lock is judged.
pub(super) struct Here<'a> {
    /// This machine's name.
    pub host: &'a str,
    /// What our own locks are marked with.
    pub mark: Option<&'a str>,
    /// Whether a process lives here.
    pub alive: fn(i32) -> bool,
}

/// Who is at work, since when. The names are restic's, but for the mark, which restic passes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    /// When it was made or renewed.
    pub time: Timestamp,
    /// Whether nobody else may be at work.
    pub exclusive: bool,
    /// The machine.
    #[serde(default)]
    pub hostname: String,
    /// The user.
    #[serde(default)]
    pub username: String,
    /// The process.
    #[serde(default)]
    pub pid: i32,
    /// The user's number.
    #[serde(default)]
    pub uid: u32,
    /// His group's.
    #[serde(default)]
    pub gid: u32,
    /// Where the process's number means something: [`own`](mod@super::own). restic's locks have none.
    #[serde(default, rename = "postkeep-mark", skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

impl Object {
    /// The object as it is stored, and its name.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn sealed(&self, key: &Key) -> Result<(Id, Bytes)> {
        let json = serde_json::to_vec(self).context(|| "cannot make a lock".into())?;
        let sealed = key.encrypt(&json)?;
        Ok((Id(Sha256::digest(&sealed).into()), sealed.into()))
    }

    /// Reads a lock. None: it is none, or of another vault.
    pub fn unsealed(sealed: &[u8], key: &Key) -> Option<Self> {
        let plain = key.decrypt(sealed.get(..sealed.len().min(MOST))?)?;
        match plain.split_first() {
            Some((&COMPRESSED, rest)) => {
                let json = zstd::bulk::decompress(rest, MOST).ok()?;
                serde_json::from_slice(&json).ok()
            }
            _ => serde_json::from_slice(&plain).ok(),
        }
    }

    /// Whether its owner is surely gone.
    pub fn is_stale(&self, now: Timestamp, here: &Here<'_>) -> bool {
        let ours = self.mark.is_some() && self.mark.as_deref() == here.mark;
        now.duration_since(self.time) > STALE || ours && !(here.alive)(self.pid)
    }

    /// The same as restic's `unlock` sees it, which takes a lock without a mark for one of this machine by the name alone:
    /// good enough where a person asks for it.
    pub fn seems_stale(&self, now: Timestamp, here: &Here<'_>) -> bool {
        let named = self.mark.is_none() && self.hostname == here.host;
        self.is_stale(now, here) || named && !(here.alive)(self.pid)
    }

    /// Who holds it, for people: "ann on nas1 (process 4711)".
    pub fn holder(&self) -> String {
        let shown = |text: &str| show(text.as_bytes());
        format!("{} on {} (process {})", shown(&self.username), shown(&self.hostname), self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(time: &str, hostname: &str, pid: i32) -> Object {
        Object {
            time: time.parse().unwrap(),
            exclusive: false,
            hostname: hostname.into(),
            username: "ann".into(),
            pid,
            uid: 1000,
            gid: 1000,
            mark: None,
        }
    }

    #[test]
    fn a_lock_is_stale_after_half_an_hour_or_when_its_process_here_is_dead() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let here = Here { host: "nas", mark: Some("boot 1"), alive: |pid| pid == 1 };
        for (time, host, mark, pid, stale, seems) in [
            ("2026-03-01T11:59:00Z", "nas", Some("boot 1"), 1, false, false),
            ("2026-03-01T11:59:00Z", "nas", Some("boot 1"), 2, true, true),
            // Renamed meanwhile.
            ("2026-03-01T11:59:00Z", "was", Some("boot 1"), 2, true, true),
            // Another machine of the same name, or a container of this one.
            ("2026-03-01T11:59:00Z", "nas", Some("boot 2"), 2, false, false),
            ("2026-03-01T11:59:00Z", "other", Some("boot 2"), 2, false, false),
            // restic's.
            ("2026-03-01T11:59:00Z", "nas", None, 1, false, false),
            ("2026-03-01T11:59:00Z", "nas", None, 2, false, true),
            ("2026-03-01T11:59:00Z", "other", None, 2, false, false),
            ("2026-03-01T11:30:00Z", "other", None, 2, false, false),
            ("2026-03-01T11:29:59Z", "other", None, 2, true, true),
            ("2026-03-01T11:29:59Z", "nas", Some("boot 1"), 1, true, true),
            // A clock that is ahead proves nothing.
            ("2026-03-01T18:00:00Z", "other", None, 2, false, false),
            ("2026-03-01T12:45:00.123456789+01:00", "other", None, 2, false, false),
        ] {
            let object = Object { mark: mark.map(str::to_owned), ..object(time, host, pid) };
            let found = (object.is_stale(now, &here), object.seems_stale(now, &here));
            assert_eq!(found, (stale, seems), "{object:?}");
        }
        let unknown = Here { mark: None, ..here };
        let object = object("2026-03-01T11:59:00Z", "nas", 2);
        assert!(!object.is_stale(now, &unknown), "two that nobody can tell apart are taken for one");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let key = Key::new([3; 64].into());
        let lock = object("2026-03-01T11:59:00.123456789Z", "nas", 1);
        let (id, sealed) = lock.sealed(&key).unwrap();
        assert_eq!(id.0, <[u8; 32]>::from(Sha256::digest(&sealed)));
        assert_eq!(Object::unsealed(&sealed, &key), Some(lock.clone()));
        assert_eq!(Object::unsealed(&sealed, &Key::new([4; 64].into())), None);
        let json = serde_json::to_vec(&lock).unwrap();
        let compressed = [&[COMPRESSED][..], &zstd::bulk::compress(&json, 3).unwrap()].concat();
        assert_eq!(Object::unsealed(&key.encrypt(&compressed).unwrap(), &key), Some(lock));
        let bomb = [&[COMPRESSED][..], &zstd::bulk::compress(&vec![b' '; 1 << 20], 3).unwrap()].concat();
        for bad in [&bomb[..], b"", b"{}", b"\x02", b"{\"time\":1}"] {
            assert_eq!(Object::unsealed(&key.encrypt(bad).unwrap(), &key), None, "{bad:?}");
        }
        assert_eq!(Object::unsealed(b"", &key), None);
    }
}
