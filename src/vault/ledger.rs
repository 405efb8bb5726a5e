//! The account of what went to and from a mailbox today, kept in the state: all profiles share it, and it survives them.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::store::Traffic;
use super::store::mailbox::{Budget, Spent};
use crate::clock::Clock;
use crate::error::Result;
use crate::mutex::lock;
use crate::profile::Limits;
use crate::state::{Quarter, State, falls_to};

/// How many bytes may be on nobody's account when the process is killed.
const UNSAVED: u64 = 4 << 20;

/// How much of a budget must be free for a pause to end, as its share: one that ends for each megabyte is no pause.
const SHARE: u64 = 4;

/// How long a mailbox rests after its server said by itself that it is too much.
const THROTTLED: SignedDuration = SignedDuration::from_hours(1);

/// The account of one mailbox.
pub struct Ledger {
    account: String,
    limits: Limits,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
}

struct Book {
    state: State,
    /// What the state knew of the last 24 hours when it was last asked.
    day: Vec<Quarter>,
    unsaved: Traffic,
    /// What may go, and has not gone yet.
    promised: Traffic,
    pause: Option<Pause>,
}

/// What stopped the traffic with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When it goes on, if that is known.
    pub until: Option<Timestamp>,
    /// Whose limit it was.
    pub cause: Cause,
}

/// Whose limit stopped the traffic with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// So many bytes a day may be sent.
    Sending(u64),
    /// So many bytes a day may be fetched.
    Fetching(u64),
    /// The server said by itself that it is too much.
    Server,
}

/// Which way bytes go.
#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.account)
    }
}

impl Ledger {
    /// Opens the account.
    ///
    /// # Errors
    /// The state cannot be used.
    pub fn open(state: &Path, account: &str, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        let state = State::open(state)?;
        let day = state.traffic().last_day(account, clock.now())?;
        let book = Mutex::new(Book {
            state,
            day,
            unsaved: Traffic::default(),
            promised: Traffic::default(),
            pause: None,
        });
        Ok(Self { account: account.to_owned(), limits, clock, book })
    }

    /// What was sent in the last 24 hours, and how much may be; None: there is no limit.
    pub fn sent(&self) -> Option<(u64, u64)> {
        let limit = self.limits.upload_per_day?;
        let book = lock(&self.book);
        Some((book.used(Way::Up, self.clock.now()), limit))
    }

    /// The pause that stopped something, if one did.
    pub fn pause(&self) -> Option<Pause> {
        lock(&self.book).pause
    }

    fn may(&self, way: Way, bytes: u64) -> Result<(), Spent> {
        let limit = match way {
            Way::Up => self.limits.upload_per_day,
            Way::Down => self.limits.download_per_day,
        };
        let Some(limit) = limit else { return Ok(()) };
        // What a day can hardly carry, or not at all, goes when little of the day is used: else it would never go, nor what
        // comes after it. Nothing else does until that has passed.
        let counted = bytes.min(limit - limit / SHARE);
        let now = self.clock.now();
        let mut book = lock(&self.book);
        let fits = |book: &Book| book.taken(way, now).saturating_add(counted) <= limit;
        if counted == bytes && fits(&book) {
            book.promise(way, bytes);
            return Ok(());
        }
        // Another process may have used some of it, and some may be free again.
        book.save(&self.account, now);
        if fits(&book) {
            book.promise(way, bytes);
            return Ok(());
        }
        let most = (limit - limit / SHARE).min(limit - counted);
        // What is on its way, and what could not be written down, counts from now on.
        let known = book.day.iter().fold(0_u64, |sum, quarter| sum.saturating_add(way.of(quarter)));
        let under_way = book.taken(way, now).saturating_sub(known);
        let quarters = book.day.iter().map(|quarter| (quarter.began, way.of(quarter)));
        let until = falls_to(most, quarters.chain([(began(now), under_way)]));
        let cause = match way {
            Way::Up => Cause::Sending(limit),
            Way::Down => Cause::Fetching(limit),
        };
        Err(book.paused(until, cause))
    }
}

/// When the quarter of an hour began that it is now.
fn began(now: Timestamp) -> Timestamp {
    let quarter = SignedDuration::from_mins(15).as_secs();
    Timestamp::from_second(now.as_second().div_euclid(quarter) * quarter).unwrap_or(now)
}

impl Way {
    fn of(self, quarter: &Quarter) -> u64 {
        match self {
            Self::Up => quarter.up,
            Self::Down => quarter.down,
        }
    }
}

impl Book {
    fn taken(&self, way: Way, now: Timestamp) -> u64 {
        let promised = match way {
            Way::Up => self.promised.up,
            Way::Down => self.promised.down,
        };
        self.used(way, now).saturating_add(promised)
    }

    fn promise(&mut self, way: Way, bytes: u64) {
        let promised = match way {
            Way::Up => &mut self.promised.up,
            Way::Down => &mut self.promised.down,
        };
        *promised = promised.saturating_add(bytes);
    }

    fn used(&self, way: Way, now: Timestamp) -> u64 {
        let of = |quarter: &Quarter| {
            let old = now.duration_since(quarter.began) > SignedDuration::from_mins(24 * 60 + 15);
            if old { 0 } else { way.of(quarter) }
        };
        let unsaved = match way {
            Way::Up => self.unsaved.up,
            Way::Down => self.unsaved.down,
        };
        self.day.iter().fold(unsaved, |sum, quarter| sum.saturating_add(of(quarter)))
    }

    /// Writes down what was carried, and reads what others carried. What cannot be written now is written the next
    /// time: that the state is full is told where the run is recorded.
    fn save(&mut self, account: &str, now: Timestamp) {
        let Traffic { up, down } = self.unsaved;
        if self.state.traffic().add(account, up, down, now).is_ok()
            && let Ok(day) = self.state.traffic().last_day(account, now)
        {
            self.day = day;
            self.unsaved = Traffic::default();
        }
    }

    fn paused(&mut self, until: Option<Timestamp>, cause: Cause) -> Spent {
        self.pause = Some(Pause { until, cause });
        Spent { until }
    }
}

impl Budget for Ledger {
    fn may_send(&self, bytes: u64) -> Result<(), Spent> {
        self.may(Way::Up, bytes)
    }

    fn may_fetch(&self, bytes: u64) -> Result<(), Spent> {
        self.may(Way::Down, bytes)
    }

    fn not_fetched(&self, bytes: u64) {
        let promised = &mut lock(&self.book).promised.down;
        *promised = promised.saturating_sub(bytes);
    }

    fn used(&self, traffic: Traffic) {
        let mut book = lock(&self.book);
        book.unsaved.up += traffic.up;
        book.unsaved.down += traffic.down;
        book.promised.up = book.promised.up.saturating_sub(traffic.up);
        book.promised.down = book.promised.down.saturating_sub(traffic.down);
        if book.unsaved.up + book.unsaved.down >= UNSAVED {
            book.save(&self.account, self.clock.now());
        }
    }

    fn settle(&self) {
        let now = self.clock.now();
        lock(&self.book).save(&self.account, now);
    }

    fn throttled(&self) -> Spent {
        let until = self.clock.now().checked_add(THROTTLED).ok();
        lock(&self.book).paused(until, Cause::Server)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that is set by hand.
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    #[test]
    fn a_budget_is_shared_kept_and_free_again_a_day_later() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(900 * 2_000_000)));
        let limits = Limits { upload_per_day: Some(1_000), download_per_day: Some(50), ..Limits::default() };
        let open =
            || Ledger::open(&temp.path().join("state"), "gmail", limits, Arc::clone(&clock) as _).unwrap();
        let (first, second) = (open(), open());
        assert_eq!(first.may_send(900), Ok(()));
        assert_eq!(first.sent(), Some((0, 1_000)));
        first.used(Traffic { up: 900, down: 10 });
        assert_eq!((first.pause(), first.may_fetch(40)), (None, Ok(())));
        let spent = first.may_send(101).unwrap_err();
        let until = spent.until.unwrap();
        assert_eq!(until, clock.now() + SignedDuration::from_mins(24 * 60 + 15));
        assert_eq!(first.pause(), Some(Pause { until: spent.until, cause: Cause::Sending(1_000) }));
        let spent = first.may_fetch(51).unwrap_err();
        assert_eq!(first.pause(), Some(Pause { until: spent.until, cause: Cause::Fetching(50) }));
        // The other one learns of it when it is about to exceed its share.
        second.used(Traffic { up: 50, down: 0 });
        assert_eq!(second.may_send(1_000).unwrap_err().until, Some(until));
        assert_eq!(second.sent(), Some((950, 1_000)));
        drop((first, second));
        clock.0.store(until.as_second() - 60, Ordering::Relaxed);
        assert!(open().may_send(1_000).is_err());
        clock.0.store(until.as_second() + 1, Ordering::Relaxed);
        assert_eq!(open().may_send(1_000), Ok(()));
        let third = open();
        let told = third.throttled();
        assert_eq!(told.until, Some(clock.now() + THROTTLED));
        assert_eq!(third.pause(), Some(Pause { until: told.until, cause: Cause::Server }));
    }

    #[test]
    fn what_one_sender_may_send_no_other_may() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let limits = Limits { upload_per_day: Some(1_000), ..Limits::default() };
        let ledger = Ledger::open(&temp.path().join("state"), "gmail", limits, clock as _).unwrap();
        assert_eq!(ledger.may_send(600), Ok(()));
        // What is still on its way holds a day, too: nobody need look sooner.
        let until = ledger.may_send(600).unwrap_err().until;
        assert_eq!(until, Some(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(24 * 60 + 15)));
        ledger.used(Traffic { up: 500, down: 0 });
        assert!(ledger.may_send(600).is_err());
        ledger.used(Traffic { up: 110, down: 0 });
        assert_eq!((ledger.sent(), ledger.may_send(390)), (Some((610, 1_000)), Ok(())));
    }

    #[test]
    fn what_does_not_come_others_may_fetch() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let limits = Limits { download_per_day: Some(1_000), ..Limits::default() };
        let ledger = Ledger::open(&temp.path().join("state"), "gmail", limits, clock as _).unwrap();
        assert_eq!(ledger.may_fetch(900), Ok(()));
        ledger.used(Traffic { up: 0, down: 100 });
        assert!(ledger.may_fetch(101).is_err());
        ledger.not_fetched(800);
        assert_eq!(ledger.may_fetch(900), Ok(()));
    }

    #[test]
    fn what_no_day_can_carry_goes_alone() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let limits = Limits { download_per_day: Some(1_000), ..Limits::default() };
        let open =
            || Ledger::open(&temp.path().join("state"), "gmail", limits, Arc::clone(&clock) as _).unwrap();
        let ledger = open();
        ledger.used(Traffic { up: 0, down: 251 });
        let until = ledger.may_fetch(3_000).unwrap_err().until.unwrap();
        drop(ledger);
        // By then there was a look at what there is.
        clock.0.store(until.as_second() + 1, Ordering::Relaxed);
        let ledger = open();
        ledger.used(Traffic { up: 0, down: 250 });
        assert_eq!(ledger.may_fetch(3_000), Ok(()));
        assert!(ledger.may_fetch(1).is_err());
        ledger.used(Traffic { up: 0, down: 3_000 });
        // It is on the account as what it is, and holds all others up.
        let until = ledger.may_fetch(1).unwrap_err().until;
        assert_eq!(
            until,
            Some(clock.now() + SignedDuration::from_mins(24 * 60 + 15) - SignedDuration::from_secs(1))
        );
    }

    #[test]
    fn without_a_limit_there_is_no_budget() {
        let temp = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let ledger = Ledger::open(&temp.path().join("state"), "home", Limits::default(), clock as _).unwrap();
        ledger.used(Traffic { up: u64::MAX / 4, down: u64::MAX / 4 });
        assert_eq!((ledger.may_send(u64::MAX), ledger.may_fetch(1)), (Ok(()), Ok(())));
        assert_eq!(ledger.sent(), None);
    }
}
