//! The background process: one loop over a closed list of events.
//!
//! What is to be done is judged by [`crate::scheduler`], which is pure; here it is carried out. Everything that can wait
//! (runs, mail, file systems that may hang, the socket) has a thread of its own that sends events; the loop itself never
//! waits for more than the database. It sleeps until something is due, a minute at most: so neither suspend nor a clock
//! that is set can make it late by more than that.

mod act;
mod answer;
pub mod client;
mod event;
pub mod journal;
mod mail;
mod monitor;
mod post;
pub mod protocol;
mod reload;
mod renew;
mod signals;
mod socket;
pub mod unit;
mod watch;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use self::event::{Event, Signal};
use self::journal::Journal;
use self::mail::Ears;
use self::post::Post;
use self::reload::Settings;
use self::renew::Program;
use self::watch::Watch;
use self::work::{Shared, Work};
use crate::agent::{self, Agent};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::progress::Reason;
use crate::scheduler::{self, Action, Follows, Scheduler};
use crate::state::{Guard, State};

/// How much wall time and measured time may differ before something has happened to the clock or to the machine.
const JUMP: SignedDuration = SignedDuration::from_secs(5);

/// How long runs are given to end when the agent ends.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// How long after a change in its folder the configuration is read: editors write several times.
const SETTLE: Duration = Duration::from_secs(1);

/// What the agent is told when it starts.
pub struct Options {
    /// Where the configuration is.
    pub config_dir: PathBuf,
    /// Where the state is.
    pub state_dir: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many times as fast as the machine's that clock is; 1 but in tests.
    pub pace: u32,
}

/// The agent.
struct Daemon {
    options: Options,
    shared: Shared,
    settings: Settings,
    state: State,
    scheduler: Scheduler,
    works: BTreeMap<String, Work>,
    post: Post,
    watch: Watch,
    ears: Ears,
    program: Option<Program>,
    writer: Arc<monitor::Writer>,
    zone: TimeZone,
    started: Timestamp,
    awake: Timestamp,
    /// What the database was at when it was looked at last.
    generation: i64,
    /// When the configuration is to be read again.
    reload_at: Option<Instant>,
    /// What could not be kept so far.
    unkept: Unkept,
    /// What went wrong with keeping things, so that it is said once.
    trouble: Option<String>,
    ending: bool,
}

/// What is to be written down, or told.
#[derive(Default)]
struct Unkept {
    saves: BTreeMap<String, scheduler::Save>,
    pause: Option<Option<scheduler::Pause>>,
    tells: Vec<(String, crate::run::RunId)>,
}

impl Unkept {
    fn is_empty(&self) -> bool {
        self.saves.is_empty() && self.pause.is_none() && self.tells.is_empty()
    }
}

/// Runs until a signal ends it.
///
/// # Errors
/// Another agent is at work on this state folder ([`Kind::Locked`]); there is no configuration folder, or the state
/// cannot be used.
pub fn run(options: Options) -> Result<()> {
    let state = State::open(&options.state_dir)?;
    let Some(lock) = state.locks().agent()? else {
        let dir = options.state_dir.display();
        return Err(Error::new(Kind::Locked, format!("an agent is at work already with the state in {dir}"))
            .hint("`postkeep agent status` tells of it"));
    };
    let (events, heard) = mpsc::channel();
    let journal = Arc::new(Journal::open(&options.state_dir)?);
    let now = options.clock.now();
    let settings = Settings::load(&options.config_dir, &options.state_dir, now)?;
    let shared = Shared {
        state_dir: options.state_dir.clone(),
        config: Arc::clone(&settings.config),
        clock: Arc::clone(&options.clock),
        journal,
        events,
    };
    signals::listen(shared.events.clone())?;
    let post = Post::new().map_err(|cause| Error::other("cannot start a thread").caused_by(cause))?;
    let (config_dir, state_dir) = (options.config_dir.clone(), options.state_dir.clone());
    let watch = Watch::new(config_dir, state_dir, shared.events.clone(), options.pace)?;
    // First of all, so that what was cut off is known when it is judged what is due.
    let noticed = Agent::open(&options.state_dir, &settings.config, &*options.clock)?.notice_interrupted()?;
    for run in &noticed {
        let line = format!("{}: its run {} was cut off; it is reported", run.profile, run.id);
        shared.journal.say(now, &line);
    }
    let (scheduler, actions) = agent::timetable(&state, &settings.config, now, now)?;
    let mut daemon = Daemon {
        options,
        shared,
        settings,
        generation: state.generation()?,
        state,
        scheduler,
        works: BTreeMap::new(),
        post,
        watch,
        ears: Ears::default(),
        program: Program::this(),
        writer: Arc::default(),
        zone: TimeZone::system(),
        started: now,
        awake: now,
        reload_at: None,
        unkept: Unkept::default(),
        trouble: None,
        ending: false,
    };
    daemon.begin(actions)?;
    let socket = socket::Socket::open(&daemon.options.state_dir, daemon.shared.events.clone())?;
    tell_systemd(&[sd_notify::NotifyState::Ready]);
    daemon.live(&heard, lock, socket)
}

fn tell_systemd(news: &[sd_notify::NotifyState<'_>]) {
    // Without systemd nothing happens; that it does not listen is its own affair.
    let _ = sd_notify::notify(news);
}

impl Daemon {
    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn say(&self, line: &str) {
        self.shared.journal.say(self.now(), line);
    }

    /// What there is to do before the first event.
    fn begin(&mut self, actions: Vec<Action>) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let profiles = crate::figures::of(self.settings.config.profiles.len() as u64, "profile", "profiles");
        self.say(&format!("postkeep {version} starts, pid {}, with {profiles}", std::process::id()));
        self.say_problems();
        self.anchor_digest();
        self.act(actions);
        self.scheduler.started(self.now());
        self.watch.set(&self.settings.config.profiles);
        self.listen();
        self.step(scheduler::Event::Woke);
        self.minute();
        self.ring();
        Ok(())
    }

    /// Runs that ended without a word are reported.
    fn notice_interrupted(&mut self) -> Result<()> {
        let noticed = self.agent(|agent| agent.notice_interrupted())?;
        for run in &noticed {
            self.say(&format!("{}: its run {} was cut off; it is reported", run.profile, run.id));
        }
        if !noticed.is_empty() {
            self.ring();
        }
        Ok(())
    }

    /// The loop.
    fn live(mut self, heard: &Receiver<Event>, lock: Guard, socket: socket::Socket) -> Result<()> {
        let mut minute = self.next_minute();
        let (mut wall, mut measured) = (self.now(), Instant::now());
        loop {
            match heard.recv_timeout(self.wait(minute)) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.ending = true,
            }
            if self.ending {
                break;
            }
            let passed = SignedDuration::try_from(measured.elapsed()).unwrap_or(SignedDuration::MAX);
            let expected = passed.saturating_mul(self.options.pace.cast_signed());
            let jump = self.now().duration_since(wall).saturating_sub(expected);
            (wall, measured) = (self.now(), Instant::now());
            if jump.abs() > JUMP.saturating_mul(self.options.pace.cast_signed()) {
                self.woke(jump);
                minute = self.now();
            }
            if self.reload_at.is_some_and(|at| Instant::now() >= at) {
                self.reload();
            }
            if self.now() >= minute {
                self.minute();
                minute = self.next_minute();
            }
            self.step(scheduler::Event::Tick);
        }
        self.end(heard);
        drop(socket);
        drop(lock);
        Ok(())
    }

    /// How long to wait for an event.
    fn wait(&self, minute: Timestamp) -> Duration {
        let now = self.now();
        let next = self.scheduler.wakes(now).map_or(minute, |next| next.min(minute));
        let pace = self.options.pace.max(1);
        let until_next = Duration::try_from(next.duration_since(now)).unwrap_or_default() / pace;
        let until_reload = self.reload_at.map(|at| at.saturating_duration_since(Instant::now()));
        // Timers are coarse: a wait that ends a moment early would be followed by another.
        until_reload.map_or(until_next, |reload| until_next.min(reload)) + Duration::from_millis(1)
    }

    /// The next full minute: due times lie there.
    fn next_minute(&self) -> Timestamp {
        let now = self.now();
        Timestamp::from_second((now.as_second() / 60 + 1) * 60).unwrap_or(Timestamp::MAX)
    }

    /// The machine was asleep, or its clock was set.
    fn woke(&mut self, jump: SignedDuration) {
        let (word, length) = if jump.is_negative() { ("back", -jump) } else { ("on", jump) };
        self.say(&format!("the clock went {word} by {}: asleep, or set", crate::figures::duration(length)));
        self.awake = self.now();
        self.step(scheduler::Event::Woke);
        self.watch.look();
        self.ears.again();
        self.ring();
    }

    /// What is done each minute.
    fn minute(&mut self) {
        tell_systemd(&[sd_notify::NotifyState::Watchdog]);
        self.watch.look();
        if self.settings.is_stale() {
            self.reload();
        }
        self.look_at_zone();
        if !self.unkept.is_empty() {
            self.keep();
        }
        if let Err(error) = self.look_at_state() {
            self.say_trouble(&error);
        }
        self.tell_problems();
        self.write_monitors();
        self.renew();
    }

    /// Another zone, another wall clock: the machine was carried over a border.
    fn look_at_zone(&mut self) {
        let zone = TimeZone::system();
        if zone != self.zone {
            self.say("the machine's time zone has changed");
            self.zone = zone;
            self.follow();
        }
    }

    /// Letters that are due, and what others did: a run beside the agent, or one that was killed.
    fn look_at_state(&mut self) -> Result<()> {
        let due = self.state.outbox().due(crate::state::Which::Due(self.now()))?;
        if !due.is_empty() {
            self.ring();
        }
        let generation = self.state.generation()?;
        if generation != std::mem::replace(&mut self.generation, generation) {
            let names: Vec<String> = self.scheduler.names().map(str::to_owned).collect();
            for name in names {
                let past = self.state.history().past(&name)?;
                let kept = self.state.memories().get(&name)?;
                let follows = kept.map_or_else(Follows::default, |memory| memory.follows());
                self.scheduler.ran_elsewhere(&name, past, follows);
            }
        }
        let locks = self.state.locks();
        for begun in self.state.history().stale()? {
            if !self.works.contains_key(&begun.profile) && !locks.is_held(&begun.profile)? {
                return self.notice_interrupted();
            }
        }
        Ok(())
    }

    /// Ends in good order: runs finish the file at hand and are recorded, and what can still be mailed is.
    fn end(&mut self, heard: &Receiver<Event>) {
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
        self.say("the agent ends");
        self.ears = Ears::default();
        let until = Instant::now() + LAST_WORDS;
        self.works.values().for_each(|work| work.meter.cancel(Reason::Shutdown));
        while !self.works.is_empty() {
            match heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Asked(_, reply)) => {
                    let _ = reply.send(protocol::Answer::Refused("the agent ends".into()));
                }
                Ok(event @ (Event::Ended(_) | Event::Idle(_))) => self.handle(event),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        for profile in self.works.keys() {
            self.say(&format!(
                "{profile}: its run did not end in time; the next start records it as interrupted"
            ));
        }
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_secs(1);
        self.post.last_round(&self.shared, left);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Changed(profile) => self.step(scheduler::Event::Changed(profile)),
            Event::NewMail(profile) => self.step(scheduler::Event::NewMail(profile)),
            Event::Configuration => self.reload_at = Some(Instant::now() + SETTLE),
            Event::Asked(ask, reply) => {
                let answer = self.answer(ask);
                let _ = reply.send(answer);
            }
            Event::Ended(done) => self.ended(*done),
            Event::Idle(profile) => {
                if self.works.get(&profile).is_some_and(|work| work.over) {
                    self.works.remove(&profile);
                }
            }
            Event::Signal(Signal::Reload) => self.reload(),
            Event::Signal(Signal::Stop) => self.ending = true,
        }
    }

    /// Hears of new mail for those profiles that want to run when some comes.
    fn listen(&mut self) {
        if let Err(cause) = self.ears.set(&self.shared, self.options.pace) {
            self.say(&format!("new mail is not heard of: no thread can be started: {cause}"));
        }
    }

    /// Does something with an agent of the configuration that is followed now.
    fn agent<T>(&self, work: impl FnOnce(&Agent<'_>) -> Result<T>) -> Result<T> {
        let config = Arc::clone(&self.settings.config);
        let agent = Agent::open(&self.options.state_dir, &config, &*self.options.clock)?;
        work(&agent)
    }

    fn ring(&self) {
        self.post.ring(&self.shared);
    }
}
