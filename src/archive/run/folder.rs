//! One folder: what is new in it, what changed, and what is only called otherwise.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::job::{Job, Touched};
use super::same::Same;
use crate::archive::path::directory;
use crate::archive::rules::Rules;
use crate::archive::source::{Folder, Listed, Mark, Since, Source};
use crate::error::Result;
use crate::state::catalogue::{self, Catalogue, FolderId, Look, Message, MessageId};

/// How many keys are looked up at once.
const AT_ONCE: usize = 10_000;

/// How many messages a folder may have of which all flags are looked at whenever it has news.
const FEW: u32 = 10_000;

/// How often they are looked at otherwise. It is less than a day, for a run that is done once a day at the same time.
const LOOK: SignedDuration = SignedDuration::from_hours(20);

/// What is to be done in a folder.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub jobs: Vec<Job>,
    /// Further keys of messages that are there.
    pub same: Vec<(String, MessageId)>,
    /// How far the folder will be known when all that is done. None: it must be looked at again in any case.
    pub mark: Option<catalogue::Mark>,
    pub excluded: u64,
}

/// Where an account's folder lies in a snapshot, as the catalogue has it.
pub(super) fn place(account: &str, folder: &Folder) -> String {
    directory(account, &folder.path).to_string_lossy().into_owned()
}

/// The folders that need a look, by their places.
///
/// # Errors
/// The catalogue cannot be read.
pub(super) fn news(
    catalogue: &Catalogue,
    account: &str,
    folders: &[Folder],
    now: Timestamp,
) -> Result<Vec<usize>> {
    let waiting: HashSet<FolderId> =
        catalogue.quarantine(None)?.into_iter().map(|message| message.folder).collect();
    let known = catalogue.folders()?;
    let known: std::collections::HashMap<_, _> =
        known.iter().map(|folder| (folder.directory.as_str(), folder)).collect();
    let is_known = |folder: &Folder| {
        known.get(place(account, folder).as_str()).is_some_and(|known| {
            let told = |before: catalogue::Mark| before.mod_seq.is_some() || !is_due(before.looked, now);
            folder.mark.is_some()
                && known.mark.map(mark) == folder.mark
                && known.mark.is_some_and(told)
                && !waiting.contains(&known.id)
        })
    };
    Ok(folders.iter().enumerate().filter(|(_, folder)| !is_known(folder)).map(|(at, _)| at).collect())
}

/// Whether all flags are to be looked at again.
fn is_due(looked: Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back makes nobody wait.
    looked.is_none_or(|looked| !(SignedDuration::ZERO..LOOK).contains(&now.duration_since(looked)))
}

/// What one look at a folder goes by.
pub(super) struct View<'a> {
    /// The folder, and its place among those of its source.
    pub folder: &'a Folder,
    pub at: usize,
    /// The same in the catalogue.
    pub known: &'a catalogue::Folder,
    pub rules: &'a Rules,
    /// Whether labels are kept.
    pub labels: bool,
    /// When the run started.
    pub now: Timestamp,
}

impl View<'_> {
    /// Lists the folder as far as it has news, and compares it with what is known.
    ///
    /// # Errors
    /// The folder cannot be listed, or the catalogue cannot be read.
    pub fn work(&self, source: &mut dyn Source, catalogue: &Catalogue, same: &mut Same) -> Result<Work> {
        let before = self.known.mark.map(mark);
        let waiting = catalogue.quarantine(Some(self.known.id))?;
        let same_uids = |now: Mark| before.is_some_and(|before| now.validity == before.validity);
        // A server that counts from the beginning again should say so with another UIDVALIDITY, and some do not.
        let back = |now: Mark| same_uids(now) && before.is_some_and(|before| now.next < before.next);
        let recounted = self.folder.mark.is_some_and(back);
        let mut valid = before.filter(|_| !recounted && self.folder.mark.is_some_and(same_uids));
        let since = match valid {
            // Those that were refused are asked for again.
            Some(before) => {
                let least = waiting.iter().map(|message| uid(&message.key).unwrap_or(0)).min();
                Since { uid: least.unwrap_or(before.next).min(before.next), mod_seq: before.mod_seq }
            }
            None => Since::default(),
        };
        let mut listing = source.list(self.folder, since)?;
        // It was made anew between the two questions: what was listed is only the end of it.
        if valid.is_some() && !same_uids(listing.mark) {
            valid = None;
            listing = source.list(self.folder, Since::default())?;
        }
        let mut work = Work::default();
        let looked = match before.filter(|_| valid.is_some()) {
            Some(before) => {
                self.look_at_flags(source, catalogue, since.uid, (before, listing.mark), &mut work)?
            }
            None => Some(self.now),
        };
        let Mark { validity, next, messages, mod_seq } = listing.mark;
        let mut mark = catalogue::Mark { validity, next, messages, mod_seq, looked };
        let all: Vec<Listed> = listing.messages.into_iter().chain(listing.changed).collect();
        let (mut fresh, mut there) = (Vec::new(), HashSet::new());
        for some in all.chunks(AT_ONCE) {
            let keys = some.iter().map(|listed| listed.key.as_str());
            let known = catalogue.known(self.known.id, keys)?;
            for (listed, message) in some.iter().zip(known) {
                // A UID that was given once more names another message.
                let other = |message: &Message| {
                    recounted && listed.date.is_some_and(|date| date != message.facts.date)
                };
                match message.filter(|message| !other(message)) {
                    Some(message) => {
                        there.insert(message.id);
                        work.jobs.extend(self.touched(listed, message).map(Job::Touch));
                    }
                    None => fresh.push(listed.clone()),
                }
            }
        }
        let passed = catalogue.passed(self.known.id, fresh.iter().map(|listed| listed.key.as_str()))?;
        let mut passed = passed.into_iter();
        fresh.retain(|listed| !passed.next().unwrap_or(false) && !listed.ours);
        let (count, mut young) = (fresh.len(), None);
        fresh.retain(|listed| {
            let is_out = self.rules.leave_out_for_good(listed);
            if !is_out && self.rules.is_too_young(listed) {
                young = Some(young.map_or(listed.uid, |uid: u32| uid.min(listed.uid)));
                return false;
            }
            !is_out
        });
        work.excluded = (count - fresh.len()) as u64;
        // What is too young today is not too young for ever: it is listed again, with what follows.
        mark.next = young.map_or(mark.next, |young| mark.next.min(young));
        work.mark = Some(mark);
        if valid.is_none() && self.known.stored > 0 {
            self.recognise(catalogue, there, &mut fresh, &mut work, same)?;
        }
        // What was refused and is not asked for now is gone, or known, or not wanted any more: it is waited for no longer.
        let asked: HashSet<&str> = fresh.iter().map(|listed| listed.key.as_str()).collect();
        for message in waiting.iter().filter(|message| !asked.contains(message.key.as_str())) {
            catalogue.release(self.known.id, &message.key)?;
        }
        work.jobs.extend(fresh.into_iter().map(Job::Fetch));
        Ok(work)
    }

    /// Where nothing tells whose flags changed, all of them are looked at: of a large folder, and of one without other
    /// news, once a day. When that was last.
    fn look_at_flags(
        &self,
        source: &mut dyn Source,
        catalogue: &Catalogue,
        before: u32,
        (then, now): (Mark, Mark),
        work: &mut Work,
    ) -> Result<Option<Timestamp>> {
        let looked = self.known.mark.and_then(|mark| mark.looked);
        // From the first HIGHESTMODSEQ on the server tells; what changed until then it does not.
        let first = then.mod_seq.is_none() && now.mod_seq.is_some();
        let tells = then.mod_seq.is_some() && now.mod_seq.is_some();
        if tells || !(first || now.messages <= FEW || is_due(looked, self.now)) {
            return Ok(looked);
        }
        let told = source.flags(self.folder, before, &mut |some| {
            let known = catalogue.known(self.known.id, some.iter().map(|listed| listed.key.as_str()))?;
            for (mut listed, message) in some.into_iter().zip(known) {
                if let Some(message) = message {
                    // Nobody asked for them.
                    listed.labels.clone_from(&message.facts.labels);
                    work.jobs.extend(self.touched(&listed, message).map(Job::Touch));
                }
            }
            Ok(())
        })?;
        Ok(if told { Some(self.now) } else { looked })
    }

    /// A known message whose flags or labels are other ones now.
    fn touched(&self, listed: &Listed, message: Message) -> Option<Touched> {
        let facts = message.facts;
        let labels = if self.labels { &listed.labels } else { &facts.labels };
        let sorted = |words: &[String]| {
            let mut words = words.to_vec();
            words.sort();
            words
        };
        if sorted(&listed.flags) == sorted(&facts.flags) && sorted(labels) == sorted(&facts.labels) {
            return None;
        }
        Some(Touched {
            message: message.id,
            path: std::path::Path::new(&self.known.directory).join(&facts.file),
            date: facts.date,
            size: facts.size,
            flags: listed.flags.clone(),
            labels: labels.clone(),
        })
    }

    /// Finds messages again whose keys became void: by Message-ID, size and date. Those of which that says too little are
    /// left to [`Same`], which looks at their content. Each is found once: two equal messages stay two.
    fn recognise(
        &self,
        catalogue: &Catalogue,
        mut taken: HashSet<MessageId>,
        fresh: &mut Vec<Listed>,
        work: &mut Work,
        same: &mut Same,
    ) -> Result<()> {
        for listed in std::mem::take(fresh) {
            match self.find(catalogue, &listed, &taken)? {
                Some(message) => {
                    taken.insert(message.id);
                    work.same.push((listed.key.clone(), message.id));
                    work.jobs.extend(self.touched(&listed, message).map(Job::Touch));
                }
                None => fresh.push(listed),
            }
        }
        if fresh.is_empty() { Ok(()) } else { same.look_in(self.at, self.known.id, taken, catalogue) }
    }

    /// The message that this one is for sure, whatever its key.
    fn find(
        &self,
        catalogue: &Catalogue,
        listed: &Listed,
        taken: &HashSet<MessageId>,
    ) -> Result<Option<Message>> {
        let (Some(date), Some(message_id)) = (listed.date, &listed.message_id) else { return Ok(None) };
        let folder = Some(self.known.id);
        let look = Look { folder, date, size: listed.size, message_id: Some(message_id) };
        let is_it = |message: &Message| message.facts.size == listed.size && !taken.contains(&message.id);
        Ok(catalogue.find(&look)?.into_iter().find(is_it))
    }
}

/// The UID in a key of IMAP.
fn uid(key: &str) -> Option<u32> {
    key.split_once('.')?.1.parse().ok()
}

/// A mark as the catalogue has it.
fn mark(known: catalogue::Mark) -> Mark {
    let catalogue::Mark { validity, next, messages, mod_seq, .. } = known;
    Mark { validity, next, messages, mod_seq }
}
