//! Stopped in the middle, by a person or by the store: what is there is used, and never taken for the whole.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use bytes::Bytes;
use postkeep::error::{Error, Kind, Result};
use postkeep::progress::Reason;
use postkeep::run::Severity;
use postkeep::vault::store::{Found, Id, Kind as Object, Store, Traffic};

use super::{Lab, noise, tree};

type Hook = Box<dyn Fn(Object, u64) -> Result<()> + Send + Sync>;

/// A store that asks before each write, counted from one.
struct Hooked {
    inner: Arc<dyn Store>,
    writes: AtomicU64,
    hook: Hook,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Store for Hooked {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn create(&self) -> Result<()> {
        self.inner.create()
    }
    fn list(&self, kind: Object) -> Result<Vec<Found>> {
        self.inner.list(kind)
    }
    fn read(&self, kind: Object, id: &Id) -> Result<Bytes> {
        self.inner.read(kind, id)
    }
    fn read_range(&self, kind: Object, id: &Id, range: Range<u64>) -> Result<Bytes> {
        self.inner.read_range(kind, id, range)
    }
    fn write(&self, kind: Object, id: &Id, object: Bytes) -> Result<()> {
        (self.hook)(kind, self.writes.fetch_add(1, SeqCst) + 1)?;
        self.inner.write(kind, id, object)
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
    fn remove(&self, kind: Object, ids: &[Id]) -> Result<()> {
        // Who was killed removes nothing either.
        (self.hook)(kind, self.writes.load(SeqCst))?;
        self.inner.remove(kind, ids)
    }
    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

fn hooked(lab: &Lab, hook: impl Fn(Object, u64) -> Result<()> + Send + Sync + 'static) -> Arc<Hooked> {
    Arc::new(Hooked { inner: lab.store(), writes: AtomicU64::new(0), hook: Box::new(hook) })
}

/// Files of which each is a pack or more.
fn fill(lab: &Lab, files: u64) {
    for n in 0..files {
        lab.write(&format!("{n}/noise"), noise(n, 9 << 20));
    }
}

/// The newest snapshot is whole, alone, and restic finds nothing wrong.
#[track_caller]
fn is_whole(lab: &Lab) {
    if Lab::with_restic().is_none() {
        return;
    }
    let snapshots = lab.restic_json(&["snapshots"]);
    assert_eq!(snapshots.as_array().unwrap().len(), 1, "{snapshots}");
    assert_eq!(snapshots[0]["tags"], serde_json::Value::Null, "{snapshots}");
    lab.restic_ok(&["check", "--read-data"]);
    assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));
}

#[test]
fn slices_end_in_checkpoints_and_a_whole_snapshot_is_all_that_stays() {
    let mut lab = Lab::new();
    fill(&lab, 6);
    lab.create();
    lab.checkpoint = 10 << 20;
    let saved = lab.save();
    assert!((2..=6).contains(&saved.checkpoints), "{saved:?}");
    assert_eq!((saved.new, saved.changed, saved.unmodified), (6, 0, 0), "{saved:?}");
    assert_eq!((saved.bytes, saved.read), (54 << 20, 54 << 20), "a slice was read twice: {saved:?}");
    assert!(saved.stored > 54 << 20 && saved.stored < 55 << 20, "{saved:?}");
    is_whole(&lab);
    let again = lab.save();
    assert_eq!((again.checkpoints, again.unmodified, again.read), (0, 6, 0), "{again:?}");
}

#[test]
fn a_large_file_that_changes_all_the_time_does_not_keep_a_run_from_its_end() {
    let mut lab = Lab::new();
    // Larger than a slice, and before everything else.
    lab.write("0", noise(0, 2 << 20));
    for n in 10..70 {
        lab.write(&format!("{n}"), noise(n, 256 << 10));
    }
    lab.create();
    lab.checkpoint = 1 << 20;
    let (busy, changes) = (lab.path("source/0"), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&changes);
    let store = hooked(&lab, move |kind, _| {
        if kind == Object::Snapshot {
            let n = count.fetch_add(1, SeqCst);
            fs::write(&busy, noise(1000 + n, 2 << 20)).unwrap();
            assert!(n < 100, "the run goes on and on");
        }
        Ok(())
    });
    let saved = lab.try_save_on(&lab.open_on(store)).unwrap();
    // Fifteen megabytes in slices of one, and what is on its way when a slice ends.
    assert!((3..=17).contains(&saved.checkpoints), "{saved:?}");
    assert_eq!((saved.new, saved.changed, saved.unmodified), (61, 0, 0), "{saved:?}");
    let again = lab.save();
    assert_eq!((again.new, again.changed, again.unmodified), (0, 1, 60), "{again:?}");
    if Lab::with_restic().is_some() {
        lab.restic_ok(&["check", "--read-data"]);
        assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));
    }
}

#[test]
fn what_a_stopped_run_stored_is_not_read_again() {
    let mut lab = Lab::new();
    fill(&lab, 6);
    lab.create();
    lab.checkpoint = 10 << 20;
    let lab = Arc::new(lab);
    let meter = Arc::clone(&lab);
    let store = hooked(&lab, move |kind, _| {
        if kind == Object::Snapshot {
            meter.meter.cancel(Reason::Person);
        }
        Ok(())
    });
    let error = lab.try_save_on(&lab.open_on(store)).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled, "{error:?}");
    if Lab::with_restic().is_some() {
        let snapshots = lab.restic_json(&["snapshots"]);
        let tags: Vec<_> =
            snapshots.as_array().unwrap().iter().map(|snapshot| &snapshot["tags"][0]).collect();
        assert_eq!(tags, ["checkpoint"], "{snapshots}");
        assert!(lab.restic_ok(&["list", "locks", "--no-lock"]).is_empty());
    }
    // The next run, in a process that nobody stopped.
    let mut next = Lab::new();
    std::mem::swap(&mut next.temp, &mut Arc::into_inner(lab).unwrap().temp);
    let saved = next.save();
    assert!(saved.read < 54 << 20, "all was read again: {saved:?}");
    assert_eq!(saved.new + saved.changed + saved.unmodified, 6, "{saved:?}");
    is_whole(&next);
}

#[test]
fn wherever_the_store_fails_nothing_is_taken_for_done_and_the_next_run_heals() {
    // Config and key are there; then come the lock, packs, index and snapshot.
    for fails_at in 1.. {
        let lab = Lab::new();
        fill(&lab, 3);
        lab.create();
        let store = hooked(&lab, move |_, n| match n < fails_at {
            true => Ok(()),
            false => Err(Error::new(Kind::Paused, "the budget is spent").hint("it goes on tomorrow")),
        });
        let written = Arc::clone(&store);
        match lab.try_save_on(&lab.open_on(store)) {
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.hints()),
                    (Kind::Paused, &["it goes on tomorrow".to_owned()][..]),
                    "{error:?}"
                );
            }
            // Only the removal of the lock failed.
            Ok(_) => {
                assert!(written.writes.load(SeqCst) < fails_at);
                assert!(fails_at > 5, "{fails_at}");
                break;
            }
        }
        // A killed process is dead; this one is not.
        lab.open().unlock(true).unwrap();
        let (packs, indexes) = (count(&lab, Object::Pack), count(&lab, Object::Index));
        let saved = lab.save();
        assert_eq!((saved.new, saved.failures.errors), (3, 0), "failed at {fails_at}: {saved:?}");
        // What was stored is found and not sent again.
        assert_eq!(!saved.notes.is_empty(), packs > 0 && indexes == 0, "failed at {fails_at}: {saved:?}");
        let size: u64 = lab.store().list(Object::Pack).unwrap().iter().map(|pack| pack.size).sum();
        assert!(size < 28 << 20, "failed at {fails_at} with {packs} packs: {size} bytes");
        is_whole(&lab);
    }
}

fn count(lab: &Lab, kind: Object) -> usize {
    lab.store().list(kind).unwrap().len()
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named() {
    let lab = Lab::new();
    lab.write("still", "still");
    lab.write("log", noise(1, 40 << 20));
    lab.create();
    let path = lab.path("source/log");
    let log = path.clone();
    let store = hooked(&lab, move |kind, _| {
        if kind == Object::Pack {
            fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"more").unwrap();
        }
        Ok(())
    });
    let saved = lab.try_save_on(&lab.open_on(store)).unwrap();
    let [failure] = &saved.failures.list[..] else { panic!("{saved:?}") };
    assert_eq!((failure.severity, failure.path.as_str()), (Severity::Warning, path.to_str().unwrap()));
    assert_eq!(failure.cause, "changed while it was read");
    let again = lab.save();
    assert_eq!((again.changed, again.failures.warnings), (1, 0), "{again:?}");
    if Lab::with_restic().is_some() {
        lab.restic_ok(&["check", "--read-data"]);
        assert_eq!(tree(&lab.restored()), tree(&lab.path("source")));
    }
}
