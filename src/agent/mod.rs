//! The whole life of one run: locks, record, work, report, delivery.
//!
//! A run is recorded as `running` before it works, so that one which was killed is noticed: its profile's lock is free
//! again, and its row still says that it runs. Outcome, log and report are recorded in one transaction; the letter
//! is delivered after it, from the outbox, as often as it takes.

mod deliver;
mod facts;
mod record;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

pub use self::deliver::{Delivery, EMBEDDED};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::profile::{Account, Config, Job, Profile, ReportRules};
use crate::progress::{Event, Listener, Meter};
use crate::run::{Message, Outcome, Run, RunId, Status, Trigger};
use crate::state::{Access, Begun, Guard, LogSpool, Root, State};
use crate::sync::{Finished, Request};
use crate::sync::journal::{Journal, LogLine};

/// How much of a log a kill may cost.
const LOG_AGE: SignedDuration = SignedDuration::from_secs(1);

/// What runs share: the state, the accounts, the clock.
pub struct Agent<'a> {
    state: State,
    state_dir: PathBuf,
    accounts: &'a BTreeMap<String, Account>,
    profiles: &'a [Profile],
    /// How runs of a profile are told that no longer exists.
    orphans: &'a ReportRules,
    clock: &'a dyn Clock,
    host: String,
}

/// What a person asks of one run.
#[derive(Default)]
pub struct Order<'a> {
    /// A token that releases a plan which a brake stopped.
    pub approve: Option<&'a str>,
}

impl<'a> Agent<'a> {
    /// Opens the state folder.
    ///
    /// # Errors
    /// The state folder cannot be used.
    pub fn open(state_dir: &Path, config: &'a Config, clock: &'a dyn Clock) -> Result<Self> {
        Ok(Self {
            state: State::open(state_dir)?,
            state_dir: state_dir.to_owned(),
            accounts: &config.accounts,
            profiles: &config.profiles,
            orphans: &config.report,
            clock,
            host: host(),
        })
    }

    /// The state, for reading.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Records and reports runs that ended without a word. A run whose profile's lock is held is at work.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn notice_interrupted(&self) -> Result<Vec<Run>> {
        let mut noticed = Vec::new();
        for begun in self.state.history().stale()? {
            if let Some(_lock) = self.state.locks().profile(&begun.profile)? {
                noticed.extend(self.record_interrupted(&begun)?);
            }
        }
        self.state.history().sweep_spools()?;
        Ok(noticed)
    }

    /// Runs a profile once and records it. The letter is in the outbox afterwards; [`Agent::deliver`] sends it.
    ///
    /// # Errors
    /// [`Kind::Locked`] when the profile or one of its folders is in use: nothing is recorded then. Otherwise only
    /// if the state cannot be written. What goes wrong in the run itself is its outcome.
    pub fn run(
        &self,
        profile: &Profile,
        trigger: Trigger,
        order: &Order<'_>,
        meter: &Meter,
        listener: &dyn Listener,
    ) -> Result<Run> {
        let _lock = self.state.locks().profile(&profile.name)?.ok_or_else(|| {
            Error::new(Kind::Locked, format!("profile {} is running already", profile.name))
                .hint("wait until it has ended; `postkeep status` shows what runs")
        })?;
        for begun in self.state.history().stale()? {
            if begun.profile == profile.name {
                self.record_interrupted(&begun)?;
            }
        }
        let _roots = self.lock_roots(profile)?;
        let begun = self.begin(profile, trigger)?;
        let spool = self.state.history().spool(begun.id, begun.started)?;
        listener.event(&Event::Started { profile: profile.name.clone() });
        let log = Log { spool: Mutex::new(spool), clock: self.clock };
        let finished = self.work(profile, &begun, order, meter, listener, &log)?;
        listener.event(&Event::Finished);
        let run = Run {
            id: begun.id,
            profile: begun.profile.clone(),
            trigger: begun.trigger,
            started: begun.started,
            ended: self.clock.now().max(begun.started),
            outcome: finished.outcome,
        };
        let spooled = log.spool.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
        self.record(run, &begun.fingerprint, Some(spooled), Some(profile), finished.marks.as_ref())
    }

    /// Shows what a run would do, without locks and without a record.
    ///
    /// # Errors
    /// A root cannot be opened, or the state cannot be read.
    pub fn request<'r>(
        &self,
        profile: &'r Profile,
        marks: &'r crate::run::RootMarks,
        meter: &'r Meter,
        listener: &'r dyn Listener,
    ) -> Request<'r> {
        let Job::Sync(job) = &profile.job;
        let now = self.clock.now();
        Request {
            profile: &profile.name,
            job,
            run: new_id(now),
            now,
            marks,
            approve: None,
            meter,
            listener,
            journal: &crate::sync::journal::Forgetful,
        }
    }

    /// Both roots of the profile, as the last run that went well left them.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn marks(&self, profile: &Profile) -> Result<crate::run::RootMarks> {
        self.state.history().roots(&profile.name)
    }

    fn begin(&self, profile: &Profile, trigger: Trigger) -> Result<Begun> {
        let started = self.clock.now();
        let begun = Begun {
            id: new_id(started),
            profile: profile.name.clone(),
            trigger,
            started,
            fingerprint: profile.fingerprint.clone(),
        };
        self.state.history().begin(&begun)?;
        Ok(begun)
    }

    /// The work itself. A panic in it is a failed run, not a lost one.
    fn work(
        &self,
        profile: &Profile,
        begun: &Begun,
        order: &Order<'_>,
        meter: &Meter,
        listener: &dyn Listener,
        log: &Log<'_>,
    ) -> Result<Finished> {
        let Job::Sync(job) = &profile.job;
        let marks = self.marks(profile)?;
        let request = Request {
            profile: &profile.name,
            job,
            run: begun.id,
            now: begun.started,
            marks: &marks,
            approve: order.approve,
            meter,
            listener,
            journal: log,
        };
        Ok(std::panic::catch_unwind(AssertUnwindSafe(|| request.run())).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            let mut outcome = Outcome::new(Status::Failed);
            outcome.error = Some(Message {
                text: format!("postkeep itself failed: {said}"),
                hints: vec!["this is a bug in postkeep: please report it with the run's log".into()],
            });
            Finished { outcome, marks: None }
        }))
    }

    fn lock_roots(&self, profile: &Profile) -> Result<Guard> {
        let Job::Sync(job) = &profile.job;
        let roots = [
            Root { path: job.source.clone(), access: Access::Read },
            Root { path: job.target.clone(), access: Access::Write },
        ];
        self.state.locks().roots(&roots, &format!("profile {}", profile.name))
    }
}

/// A run's log: lines go to the spool, which is written out every second so that a kill costs no more.
struct Log<'a> {
    spool: Mutex<LogSpool>,
    clock: &'a dyn Clock,
}

impl Journal for Log<'_> {
    fn line(&self, line: &LogLine<'_>) {
        let text = line.to_string();
        let mut spool = self.spool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A log that cannot be written must not stop a run: the history says that it is cut short.
        let _ = spool.line(&text).and_then(|()| spool.flush_if_older(self.clock.now(), LOG_AGE));
    }
}

/// The machine's name.
fn host() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".into() } else { name }
}

fn new_id(now: Timestamp) -> RunId {
    let mut bytes = [0; 16];
    // An empty answer leaves zeros: the time and, for a double, the database's key still tell runs apart.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    RunId::new(now, u128::from_le_bytes(bytes))
}
