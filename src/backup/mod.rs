//! A backup: the profile's sources into each of its vaults, then its rules for old snapshots.
//!
//! The vaults are served one after the other. One that does not take its snapshot does not keep the others from theirs;
//! the run is as good as its worst vault.

mod outcome;
mod pause;

pub use self::pause::days;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use self::outcome::Sum;
use self::pause::Left;
use crate::error::{Error, Kind, Result};
use crate::failures::Failures;
use crate::journal::{Journal, LogLine};
use crate::profile::{BackupJob, VaultPlace};
use crate::progress::{Event, Listener, Meter, Phase};
use crate::run::{Kept, Outcome};
use crate::vault::ledger::Pause;
use crate::vault::patience::patiently;
use crate::vault::snapshot::Scope;
use crate::vault::{Estimate, Saved, Vault};

/// The vaults of a configuration, as a backup needs them.
pub trait Vaults {
    /// Opens the vault at a place.
    ///
    /// # Errors
    /// It cannot be opened.
    fn open(&self, place: &VaultPlace) -> Result<Vault>;

    /// What was sent there in the last 24 hours and how much may be; None: as much as one likes.
    fn budget(&self, place: &VaultPlace) -> Option<(u64, u64)>;

    /// What paused there, if somebody keeps an account of it.
    fn pause(&self, place: &VaultPlace) -> Option<Pause>;
}

/// Everything that a backup needs to know.
pub struct Request<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// What is to be done.
    pub job: &'a BackupJob,
    /// The machine's name.
    pub host: &'a str,
    /// When the run started.
    pub now: Timestamp,
    /// Counts, and hears the wish to stop.
    pub meter: &'a Meter,
    /// Hears how far it is.
    pub listener: &'a dyn Listener,
    /// Hears what was done.
    pub journal: &'a dyn Journal,
    /// Our own state folder: no part of a backup.
    pub state: &'a Path,
    /// Opens the vaults.
    pub vaults: &'a dyn Vaults,
}

/// What a backup would save, and what it takes.
#[derive(Debug)]
pub struct Preview {
    /// What there is in the sources.
    pub estimate: Estimate,
    /// What cannot be read.
    pub failures: Failures,
    /// How many bytes may be sent to a vault each day, where somebody limits that.
    pub per_day: BTreeMap<VaultPlace, u64>,
}

/// Why a vault has no new snapshot.
struct Unsaved {
    error: Error,
    /// What is left to be sent, where a budget stopped it.
    left: Option<Left>,
}

impl From<Error> for Unsaved {
    fn from(error: Error) -> Self {
        Self { error, left: None }
    }
}

impl Request<'_> {
    /// Saves into each vault. Whatever goes wrong is in the outcome.
    pub fn run(&self) -> Outcome {
        let mut sum = Sum::new(self.job.keeping.vaults.len());
        for place in &self.job.keeping.vaults {
            if self.meter.is_cancelled() {
                sum.cancelled();
                break;
            }
            self.meter.reset();
            self.listener.event(&Event::Phase(Phase::Comparing));
            let mut kept = Kept { vault: place.to_string(), ..Kept::default() };
            let saved = self.save_into(place, &mut kept);
            kept.budget = self.vaults.budget(place);
            match saved {
                Ok(saved) => sum.saved(saved, kept, self.journal),
                // What goes wrong while a run is being stopped, a lost server that is not waited for, is no failure.
                Err(Unsaved { error, .. })
                    if error.kind() == Kind::Cancelled || self.meter.is_cancelled() =>
                {
                    sum.unsaved(kept, &self.meter.snapshot());
                    sum.cancelled();
                    break;
                }
                Err(Unsaved { error, left }) if error.kind() == Kind::Paused => {
                    let pause = self.pause(place, &error, left);
                    sum.unsaved(kept, &self.meter.snapshot());
                    sum.paused(pause);
                }
                // There is nothing in the source: that is so for every vault.
                Err(Unsaved { error, .. }) if error.kind() == Kind::Stopped => {
                    sum.stopped(&error);
                    break;
                }
                Err(Unsaved { error, .. }) => {
                    self.journal.line(&LogLine {
                        op: crate::journal::Op::Failed,
                        bytes: 0,
                        path: &kept.vault,
                        note: &error.one_line(),
                    });
                    sum.failed(&error, kept);
                }
            }
        }
        sum.outcome()
    }

    /// What is in the sources, without asking any vault.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn preview(&self) -> Result<Preview> {
        let (estimate, failures) = self.request().estimate()?;
        let places = self.job.keeping.vaults.iter();
        let per_day =
            places.filter_map(|place| Some((place.clone(), self.vaults.budget(place)?.1))).collect();
        Ok(Preview { estimate, failures, per_day })
    }

    fn request(&self) -> crate::vault::Request<'_> {
        crate::vault::Request {
            profile: self.profile,
            host: self.host,
            sources: &self.job.sources,
            filter: &self.job.filter,
            one_file_system: self.job.one_file_system,
            allow_empty_source: self.job.allow_empty_source,
            checkpoint: self.job.keeping.checkpoint,
            now: self.now,
            state: Some(self.state),
            meter: self.meter,
            listener: self.listener,
            journal: self.journal,
        }
    }

    fn save_into(&self, place: &VaultPlace, kept: &mut Kept) -> Result<Saved, Unsaved> {
        let who = self.job.keeping.named(self.profile, place);
        let named = |error: Error| error.naming(&who);
        let vault = self.vaults.open(place).map_err(named)?;
        let saved = patiently(self.meter, || vault.save(&self.request())).map_err(named);
        // What a run that was cut short sent is not lost, and not sent again.
        kept.stored = vault.store().traffic().up;
        kept.added = self.meter.snapshot().bytes_done;
        let mut saved = saved.map_err(|error| Unsaved { left: self.left(place, &vault, &error), error })?;
        let hints = saved.failures.list.iter_mut().filter_map(|failure| failure.hint.as_mut());
        hints.for_each(|hint| *hint = hint.replace("PROFILE", &who));
        kept.snapshot = Some(saved.snapshot.to_string());
        kept.tree = Some(saved.tree.to_string());
        kept.parent = saved.parent.map(|parent| parent.to_string());
        (kept.added, kept.stored) = (saved.read, saved.stored);
        match self.forget(&vault, &mut saved) {
            Ok(forgotten) => kept.forgotten = forgotten,
            // The snapshot is there; that old ones are still there too is put right by the next run.
            Err(error) => {
                saved
                    .notes
                    .push(format!("old snapshots were not forgotten in {place}: {}", error.one_line()));
            }
        }
        // What is not known of the room is not said.
        kept.room = vault.store().room().ok().flatten().map(|room| (room.used, room.limit));
        Ok(saved)
    }

    /// Forgets old snapshots by the profile's rules. Where something could not be read an older snapshot may hold the
    /// only good copy of it: then all stay.
    fn forget(&self, vault: &Vault, saved: &mut Saved) -> Result<u64> {
        let Some(keep) = &self.job.keeping.keep else { return Ok(0) };
        if saved.failures.errors > 0 {
            saved.notes.push("no old snapshot was forgotten, because something could not be saved".into());
            return Ok(0);
        }
        let scope = Scope { label: Some(self.profile.to_owned()), host: Some(self.host.to_owned()) };
        vault.keep(keep, &scope, self.now, self.meter)
    }
}
