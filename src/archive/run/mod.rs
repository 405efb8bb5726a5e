//! One run of an archive: what is new in each source comes into each vault, slice by slice.
//!
//! What is new is told by marks: a folder whose mark is the one that was kept is not looked into, and if that is so for all
//! folders, no vault is opened. A mark is kept when everything before it is in the vault or in quarantine. Whatever a slice
//! brought is known after it, so a run that is cut short goes on where it was.

mod flags;
mod folder;
mod job;
mod look;
mod outcome;
mod preview;
mod pull;
mod restored;
mod same;
mod slice;
mod taken;
#[cfg(test)]
mod tests;
mod waited;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::outcome::Sum;
pub use self::preview::{Preview, Seen};
use self::pull::{Broken, Pull};
use self::slice::Slicing;
use super::folders::Patterns;
use super::path::directory;
use super::rules::Rules;
use super::source::{Folder, Source};
use crate::error::{Error, Kind, Result};
use crate::figures::of;
use crate::journal::Journal;
use crate::profile::{ArchiveJob, MailPlace, VaultPlace};
use crate::progress::{Event, Listener, Meter, Phase};
use crate::run::{Kept, Outcome};
use crate::state::catalogue::Catalogue;
use crate::vault::Vault;
use crate::vault::add::{Adding, Addition};
use crate::vault::ledger::Pause;
use crate::vault::patience::patiently;
use crate::vault::snapshot::Scope;
use crate::vault::store::Store;

/// How many messages one slice has at most: a list of them is held in memory.
const SLICE: usize = 20_000;

/// After so many folders in a row that cannot be looked at a source is left: it is not theirs. Only those count that took
/// their time. A plain no costs a round trip, and somebody may have many folders that he must not read.
const MOST_BROKEN: usize = 3;

/// What is called slow there.
const SLOW: Duration = Duration::from_secs(5);

/// How many bytes a slice has at most of messages of which nobody knows when they came: those are held until all are
/// there.
const UNDATED: u64 = if cfg!(test) { 64 << 10 } else { 64 << 20 };

/// Whether after this error nothing more is asked of the source, whatever is left.
fn ends_all(error: &Error) -> bool {
    matches!(error.kind(), Kind::Paused | Kind::Login | Kind::Cancelled)
}

/// Whether a source is left after an error of one of its folders, when so many took their time over theirs. A server that
/// hangs up at one folder each time is there for the others.
fn is_lost(source: &mut dyn Source, error: &Error, slow: usize) -> bool {
    ends_all(error) || slow >= MOST_BROKEN || !source.comes_back()
}

/// The places of a configuration, as an archive needs them.
pub trait Places {
    /// What the vault at a place is kept on; nothing is connected yet.
    ///
    /// # Errors
    /// There is no such account.
    fn store(&self, place: &VaultPlace) -> Result<Arc<dyn Store>>;

    /// Opens the vault that is kept on this.
    ///
    /// # Errors
    /// It cannot be opened.
    fn vault(&self, store: Arc<dyn Store>) -> Result<Vault>;

    /// Where messages come from; nothing is connected yet.
    ///
    /// # Errors
    /// There is no such account.
    fn source(&self, place: &MailPlace) -> Result<Box<dyn Source>>;

    /// What is known of the archive in the vault at a place.
    ///
    /// # Errors
    /// It cannot be opened.
    fn catalogue(&self, place: &VaultPlace) -> Result<Catalogue>;

    /// What was sent to a vault in the last 24 hours and how much may be; None: as much as one likes.
    fn budget(&self, place: &VaultPlace) -> Option<(u64, u64)>;

    /// What paused the traffic with an account, by its name.
    fn pause(&self, account: &str) -> Option<Pause>;
}

/// Everything that an archive needs to know.
pub struct Request<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// What is to be done.
    pub job: &'a ArchiveJob,
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
    /// Opens what is named.
    pub places: &'a dyn Places,
}

impl Request<'_> {
    /// Archives into each vault. Whatever goes wrong is in the outcome.
    pub fn run(&self) -> Outcome {
        let mut sum = Sum::new(self);
        for place in &self.job.keeping.vaults {
            if self.meter.is_cancelled() {
                break;
            }
            self.meter.reset();
            let mut kept = Kept { vault: place.to_string(), ..Kept::default() };
            let done = self.into(place, &mut kept, &mut sum);
            kept.budget = self.places.budget(place);
            sum.vault(place, kept, done);
        }
        sum.outcome()
    }

    /// Archives into one vault.
    fn into(&self, place: &VaultPlace, kept: &mut Kept, sum: &mut Sum<'_>) -> Result<()> {
        let who = self.job.keeping.named(self.profile, place);
        let named = |error: Error| error.naming(&who);
        let rules = Rules::new(&self.job.only, self.now)?;
        let catalogue = self.places.catalogue(place)?;
        // Who leaves out less than before wants what was left out.
        catalogue.judge_by(&format!("{} {:?} {}", rules.text(), self.job.gmail_query, self.job.labels))?;
        let store = self.places.store(place).map_err(named)?;
        let opened = || self.places.vault(Arc::clone(&store)).map_err(named);
        // Opened when there is something for it: where there is no news a look at its lists will do.
        let vault = std::cell::OnceCell::new();
        let (mut adding, mut stale) = (None, false);
        // One that is away, was made anew, or lost something has not what the catalogue says.
        if !look::has_all(&*store, &catalogue).map_err(named)? {
            let _ = vault.set(opened()?);
            adding =
                vault.get().map(|vault| self.begin(vault, &catalogue, sum)).transpose().map_err(named)?;
        }
        for mail in &self.job.sources {
            self.listener.event(&Event::Phase(Phase::Comparing));
            let mut source = match self.places.source(mail) {
                Ok(source) => source,
                Err(error) => {
                    sum.unreached(mail, &error);
                    continue;
                }
            };
            let known = catalogue.folders()?.into_iter().filter(|known| known.account == mail.name());
            source.expect(known.map(|known| known.path).collect());
            let folders = match self.chosen(mail, &mut *source, sum) {
                Ok(folders) => folders,
                Err(error) => {
                    sum.unreached(mail, &error);
                    continue;
                }
            };
            let account = mail.name();
            if folder::news(&catalogue, &account, &folders, self.now)?.is_empty() {
                continue;
            }
            if vault.get().is_none() {
                let _ = vault.set(opened()?);
            }
            let Some(vault) = vault.get() else { continue };
            if adding.is_none() {
                adding = Some(self.begin(vault, &catalogue, sum).map_err(named)?);
            }
            let Some(adding) = &mut adding else { continue };
            let news = folder::news(&catalogue, &account, &folders, self.now)?;
            let slicing = Slicing {
                account: &account,
                folders: &folders,
                now: self.now,
                meter: self.meter,
                labels: self.job.labels,
                rules: &rules,
            };
            let mut pull = Pull {
                request: self,
                mail,
                slicing,
                catalogue: &catalogue,
                adding,
                kept,
                sum,
                known: HashMap::new(),
                broken: HashSet::new(),
                thinned: HashSet::new(),
                ours: 0,
                young: HashMap::new(),
                stale,
            };
            let pulled = pull.all(&mut *source, news);
            stale |= pull.stale;
            let ours = pull.ours;
            sum.unnamed(mail, source.unnamed());
            if ours > 0 {
                let what = of(ours, "message says", "messages say");
                sum.notes(vec![format!(
                    "{mail}: {what} by X-Postkeep-Object or X-Postkeep-File to be postkeep's own: left out"
                )]);
            }
            match pulled {
                Ok(()) => {}
                Err(Broken::Vault(error)) => return Err(named(error)),
                Err(Broken::Source(error)) => sum.unreached(mail, &error),
            }
            if self.meter.is_cancelled() {
                break;
            }
        }
        if let Some(adding) = adding {
            // Whoever takes something away waits until this one is finished.
            look::remember(&*store, &catalogue).map_err(named)?;
            sum.notes(adding.finish().map_err(named)?);
            if let Some(vault) = vault.get() {
                self.forget(vault, kept, sum);
                kept.room = vault.store().room().ok().flatten().map(|room| (room.used, room.limit));
            }
        }
        let folders = catalogue.folders()?;
        if stale {
            // The next run reads it from the vault, and sees what is missing there.
            catalogue.clear()?;
        }
        sum.total(folders.iter().map(|one| one.stored).sum(), folders.iter().map(|one| one.bytes).sum());
        Ok(())
    }

    /// Forgets old snapshots by the profile's rules. Each one is a part of those after it, but what was damaged since may be
    /// whole in an older one: where something went wrong all stay.
    fn forget(&self, vault: &Vault, kept: &mut Kept, sum: &mut Sum<'_>) {
        let Some(keep) = &self.job.keeping.keep else { return };
        if sum.has_errors() {
            sum.notes(vec!["no old snapshot was forgotten, because something could not be archived".into()]);
            return;
        }
        let scope = Scope { label: Some(self.profile.to_owned()), host: Some(self.host.to_owned()) };
        match vault.keep(keep, &scope, self.now, self.meter) {
            Ok(forgotten) => kept.forgotten = forgotten,
            // The messages are there; that old snapshots are still there too is put right by the next run.
            Err(error) => {
                let note =
                    format!("old snapshots were not forgotten in {}: {}", kept.vault, error.one_line());
                sum.notes(vec![note]);
            }
        }
    }

    /// The folders that the profile wants.
    fn chosen(&self, mail: &MailPlace, source: &mut dyn Source, sum: &mut Sum<'_>) -> Result<Vec<Folder>> {
        let patterns = Patterns::new(&self.job.folders);
        let choice = patterns.choose(source.folders()?);
        for unmatched in choice.unmatched {
            sum.unmatched(mail, &unmatched, source.labels());
        }
        // What nobody wants is not missed.
        let mut unnamed = source.unnamed();
        unnamed.retain(|one| {
            let folder = Folder { path: one.folder.clone(), special: None, mark: None };
            !patterns.choose(vec![folder]).taken.is_empty()
        });
        sum.unnamed(mail, unnamed);
        Ok(choice.taken)
    }

    /// Begins to add to a vault, and sees to it that what is known is what is there.
    fn begin<'v>(&'v self, vault: &'v Vault, catalogue: &Catalogue, sum: &mut Sum<'_>) -> Result<Adding<'v>> {
        let roots = self
            .job
            .sources
            .iter()
            .filter_map(|mail| directory(&mail.name(), "x").parent().map(PathBuf::from));
        let adding = patiently(self.meter, || {
            vault.add(Addition {
                profile: self.profile,
                host: self.host,
                now: self.now,
                roots: roots.clone().collect(),
                meter: self.meter,
                listener: self.listener,
                journal: self.journal,
            })
        })?;
        look::agree(vault, adding.snapshot(), catalogue, sum)?;
        Ok(adding)
    }
}
