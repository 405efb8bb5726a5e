//! The whole life of one run: locks, record, work, report, delivery.
//!
//! A run is recorded as `running` before it works, so that one which was killed is noticed: its profile's lock is free
//! again, and its row still says that it runs. Outcome, log and report are recorded in one transaction; the letter
//! is delivered after it, from the outbox, as often as it takes.

mod account;
mod append;
mod carry;
pub mod condition;
mod configuration;
mod deliver;
mod digest;
mod facts;
mod hooks;
mod inbox;
mod limit;
mod log;
mod news;
mod notices;
mod ping;
mod places;
mod record;
mod resend;
mod route;
mod stalled;
mod timetable;
mod unrecorded;
mod vaults;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub use self::account::Tested;
pub use self::configuration::{configuration, environment, look_at, look_in_time};
pub use self::deliver::{Delivery, EMBEDDED};
pub use self::digest::Outlook;
use self::hooks::Around;
use self::log::Log;
use self::ping::Pings;
pub use self::places::lost_in;
use self::places::{Accounts, Places};
pub use self::timetable::{digest as digest_times, rules as schedule_rules, timetable};
pub use self::unrecorded::tell_without_state;
use self::vaults::Vaults;
use crate::archive::source::Source;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::figures;
use crate::journal::Forgetful;
use crate::profile::{
    Account, ArchiveJob, BackupJob, Config, Imap, Job, MailPlace, Pop3, Profile, ReportRules, SyncJob,
};
use crate::progress::{Event, Listener, Meter};
use crate::run::{Message, Outcome, Run, RunId, Status, Stop, Trigger};
use crate::scheduler::Pending;
use crate::state::{Access, Begun, Guard, Query, Root, State};
use crate::sync::plan::{Line, Plan};
use crate::sync::{Finished, Request};
use crate::vault::names::host;
use crate::{archive, backup};

/// How often, and how long, a run waits for its profile's lock: `status` holds it for a moment to see whether it is free.
const LOCK_TRIES: u32 = 10;
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// What runs share: the state, the accounts, the clock.
pub struct Agent<'a> {
    state: State,
    state_dir: PathBuf,
    accounts: &'a BTreeMap<String, Account>,
    mailboxes: &'a BTreeMap<String, Imap>,
    maildrops: &'a BTreeMap<String, Pop3>,
    profiles: &'a [Profile],
    /// How runs of a profile are told that no longer exists.
    orphans: &'a ReportRules,
    clock: &'a dyn Clock,
    host: String,
    pings: Pings,
}

/// What is asked of one run.
pub struct Order<'a> {
    /// A token that releases a plan which a brake stopped.
    pub approve: Option<&'a str>,
    /// The due time that it serves.
    pub serves: Option<Timestamp>,
    /// How many due times passed before it without a run, this one included, if it catches up.
    pub missed: u64,
    /// The number of the try: 1, or more after failures.
    pub number: u32,
}

/// A run that was recorded.
#[derive(Debug)]
pub struct Ran {
    /// The run.
    pub run: Run,
    /// The try that follows. The run is told only if that cannot come.
    pub retry: Option<Pending>,
}

impl Default for Order<'_> {
    fn default() -> Self {
        Self { approve: None, serves: None, missed: 0, number: 1 }
    }
}

impl Order<'_> {
    /// What the report says about it.
    fn notes(&self, trigger: Trigger) -> Option<String> {
        match trigger {
            Trigger::CatchUp if self.missed > 1 => Some(format!(
                "this run stands for {} due times at which nothing could run",
                figures::count(self.missed)
            )),
            Trigger::Retry => Some(format!("this was try {}; those before it failed", self.number)),
            _ => None,
        }
    }
}

impl<'a> Agent<'a> {
    /// Opens the state folder.
    ///
    /// # Errors
    /// The state folder cannot be used.
    pub fn open(state_dir: &Path, config: &'a Config, clock: &'a dyn Clock) -> Result<Self> {
        Ok(Self::with(State::open(state_dir)?, state_dir, config, clock))
    }

    fn with(state: State, state_dir: &Path, config: &'a Config, clock: &'a dyn Clock) -> Self {
        Self {
            state,
            state_dir: state_dir.to_owned(),
            accounts: &config.accounts,
            mailboxes: &config.mailboxes,
            maildrops: &config.maildrops,
            profiles: &config.profiles,
            orphans: &config.report,
            clock,
            host: host(),
            pings: Pings::default(),
        }
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
    ) -> Result<Ran> {
        let _lock = self.lock_profile(&profile.name)?;
        for begun in self.state.history().stale()? {
            if begun.profile == profile.name {
                self.record_interrupted(&begun)?;
            }
        }
        let _roots = self.lock_roots(profile)?;
        let begun = self.begin(profile, trigger, order.serves)?;
        let recorded = self.with_room(|| {
            self.state.history().begin(&begun)?;
            self.state.history().spool(begun.id, begun.started)
        });
        let spool = match recorded {
            Ok(spool) => spool,
            Err(error) => return Err(self.tell_of_no_start(profile, &begun, error)),
        };
        listener.event(&Event::Started { profile: profile.name.clone() });
        self.ping_start(profile, begun.id);
        let log = Log::new(spool, self.clock);
        let mut around = Around::new(profile, &begun, meter, &log);
        let finished = limit::within(profile.timing.timeout, meter, || {
            let mut finished = match around.before() {
                Some(outcome) => Finished { outcome, marks: None },
                None => self.work(profile, &begun, order, meter, listener, &log),
            };
            limit::explain(&mut finished.outcome, meter, profile.timing.timeout, trigger);
            around.after(&mut finished.outcome);
            finished
        });
        listener.event(&Event::Finished);
        let mut outcome = finished.outcome;
        outcome.notes.extend(order.notes(trigger));
        let mut run = Run {
            id: begun.id,
            profile: begun.profile.clone(),
            trigger: begun.trigger,
            started: begun.started,
            ended: self.clock.now().max(begun.started),
            outcome,
        };
        // Who cannot read the history cannot record the run either, and tells that.
        let _ = stalled::judge(&self.state.history(), &mut run);
        let spooled = log.finish();
        let marks = finished.marks.as_ref();
        self.record(run, &begun.fingerprint, Some(spooled), Some(profile), marks, order.number)
    }

    fn lock_profile(&self, name: &str) -> Result<Guard> {
        for _ in 0..LOCK_TRIES {
            if let Some(lock) = self.state.locks().profile(name)? {
                return Ok(lock);
            }
            std::thread::sleep(LOCK_WAIT);
        }
        Err(Error::new(Kind::Locked, format!("profile {name} is running already"))
            .hint("wait until it has ended; `postkeep status` shows what runs"))
    }

    fn begin(&self, profile: &Profile, trigger: Trigger, serves: Option<Timestamp>) -> Result<Begun> {
        let started = self.clock.now();
        let newest = self.state.history().runs(&Query { profile: None, limit: 1, before: None })?.pop();
        let begun = Begun {
            id: new_id(started).not_before(newest.map(|row| row.id)),
            profile: profile.name.clone(),
            trigger,
            started,
            fingerprint: profile.fingerprint.clone(),
            serves,
        };
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
    ) -> Finished {
        meter.of_messages(matches!(profile.job, Job::Archive(_)));
        let work = || match &profile.job {
            Job::Sync(job) => self.sync(job, profile, begun, order, meter, listener, log),
            Job::Backup(job) => self.back_up(job, profile, begun, meter, listener, log),
            Job::Archive(job) => self.archive(job, profile, begun, meter, listener, log),
        };
        std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            failed(Message {
                text: format!("postkeep itself failed: {said}"),
                hints: vec!["this is a bug in postkeep: please report it with the run's log".into()],
            })
        })
    }

    fn back_up(
        &self,
        job: &BackupJob,
        profile: &Profile,
        begun: &Begun,
        meter: &Meter,
        listener: &dyn Listener,
        log: &Log<'_>,
    ) -> Finished {
        let request = backup::Request {
            profile: &profile.name,
            job,
            host: &self.host,
            now: begun.started,
            meter,
            listener,
            journal: log,
            state: &self.state_dir,
            vaults: &Vaults::new(&self.state_dir, self.mailboxes, &job.keeping.password),
        };
        Finished { outcome: request.run(), marks: None }
    }

    fn archive(
        &self,
        job: &ArchiveJob,
        profile: &Profile,
        begun: &Begun,
        meter: &Meter,
        listener: &dyn Listener,
        log: &Log<'_>,
    ) -> Finished {
        let accounts = Accounts { mailboxes: self.mailboxes, maildrops: self.maildrops };
        let places = Places::new(&profile.name, &self.state_dir, accounts, job, meter.wish());
        let request = archive::run::Request {
            profile: &profile.name,
            job,
            host: &self.host,
            now: begun.started,
            meter,
            listener,
            journal: log,
            places: &places,
        };
        Finished { outcome: request.run(), marks: None }
    }

    #[allow(clippy::too_many_arguments)]
    fn sync(
        &self,
        job: &SyncJob,
        profile: &Profile,
        begun: &Begun,
        order: &Order<'_>,
        meter: &Meter,
        listener: &dyn Listener,
        log: &Log<'_>,
    ) -> Finished {
        let marks = match self.state.history().roots(&profile.name) {
            Ok(marks) => marks.of(&job.source, &job.target),
            // Without them the brakes would not hold.
            Err(error) => return failed(Message::from(&error)),
        };
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
            state: Some(&self.state_dir),
        };
        request.run()
    }

    fn lock_roots(&self, profile: &Profile) -> Result<Guard> {
        // Several profiles save into one vault at a time: the locks inside it order them.
        let written = match &profile.job {
            Job::Sync(_) => Access::Write,
            Job::Backup(_) | Job::Archive(_) => Access::Read,
        };
        let root = |access| move |path: &Path| Root { path: path.to_owned(), access };
        let mut roots: Vec<_> = profile.job.sources().into_iter().map(root(Access::Read)).collect();
        roots.extend(profile.job.written().into_iter().map(root(written)));
        self.state.locks().roots(&roots, &format!("profile {}", profile.name))
    }
}

fn failed(error: Message) -> Finished {
    Finished { outcome: Outcome { error: Some(error), ..Outcome::new(Status::Failed) }, marks: None }
}

/// Opens the state folder for reading only; None when nothing was ever recorded in it.
///
/// # Errors
/// As [`State::open_read_only`]; an error that does not say what to do says at least how to use another folder.
pub fn look(state_dir: &Path) -> Result<Option<State>> {
    State::open_read_only(state_dir).map_err(|error| {
        if error.hints().is_empty() {
            error.hint("name another state folder with --state DIR")
        } else {
            error
        }
    })
}

/// Shows what a run of the profile would do, without locks and without a trace. `lines` hears every line of the plan,
/// from several threads and in no order.
///
/// # Errors
/// A root cannot be opened, or the state cannot be read.
pub fn preview(
    state_dir: &Path,
    profile: &Profile,
    job: &SyncJob,
    clock: &dyn Clock,
    meter: &Meter,
    listener: &dyn Listener,
    lines: &(dyn Fn(Line) + Sync),
) -> Result<(Plan, Option<Stop>)> {
    let state = look(state_dir)?;
    let marks = state.map(|state| state.history().roots(&profile.name)).transpose()?.unwrap_or_default();
    let marks = marks.of(&job.source, &job.target);
    let now = clock.now();
    let request = Request {
        profile: &profile.name,
        job,
        run: new_id(now),
        now,
        marks: &marks,
        approve: None,
        meter,
        listener,
        journal: &Forgetful,
        state: Some(state_dir),
    };
    request.plan(Some(lines))
}

/// Counts what a run of a backup would save, without locks, without a trace, and without asking a vault.
///
/// # Errors
/// A source cannot be opened.
pub fn preview_backup(
    state_dir: &Path,
    config: &Config,
    profile: &Profile,
    job: &BackupJob,
    clock: &dyn Clock,
    meter: &Meter,
    listener: &dyn Listener,
) -> Result<backup::Preview> {
    let request = backup::Request {
        profile: &profile.name,
        job,
        host: &host(),
        now: clock.now(),
        meter,
        listener,
        journal: &Forgetful,
        state: state_dir,
        vaults: &Vaults::new(state_dir, &config.mailboxes, &job.keeping.password),
    };
    request.preview()
}

/// Counts what a run of an archive would look at, without locks, without a trace, and without asking a vault.
///
/// # Errors
/// A source cannot be looked at.
pub fn preview_archive(
    state_dir: &Path,
    config: &Config,
    profile: &Profile,
    job: &ArchiveJob,
    clock: &dyn Clock,
    meter: &Meter,
    listener: &dyn Listener,
) -> Result<archive::run::Preview> {
    let accounts = Accounts { mailboxes: &config.mailboxes, maildrops: &config.maildrops };
    let places = Places::new(&profile.name, state_dir, accounts, job, meter.wish());
    let known = job.keeping.vaults.first().map(|place| places.known(place)).transpose()?.flatten();
    let request = archive::run::Request {
        profile: &profile.name,
        job,
        host: &host(),
        now: clock.now(),
        meter,
        listener,
        journal: &Forgetful,
        places: &places,
    };
    request.preview(known.as_ref())
}

/// A mailbox of a profile's, as a run would read it; nothing is connected yet. `meter` hears the wish to stop.
///
/// # Errors
/// There is no such account.
pub fn messages(
    state_dir: &Path,
    config: &Config,
    (profile, job): (&Profile, &ArchiveJob),
    place: &MailPlace,
    meter: &Meter,
) -> Result<Box<dyn Source>> {
    use archive::run::Places as _;
    let accounts = Accounts { mailboxes: &config.mailboxes, maildrops: &config.maildrops };
    Places::new(&profile.name, state_dir, accounts, job, meter.wish()).source(place)
}

fn new_id(now: Timestamp) -> RunId {
    let mut bytes = [0; 16];
    // An empty answer leaves zeros: the time and, for a double, the database's key still tell runs apart.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    RunId::new(now, u128::from_le_bytes(bytes))
}
