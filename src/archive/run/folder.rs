//! One folder: what is new in it, what changed, and what is only called otherwise.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use super::flags::is_due;
use super::job::{Touched, is_mute};
use super::same::Same;
use crate::archive::path::directory;
use crate::archive::rules::Rules;
use crate::archive::source::{Folder, Listed, Mark, Since, Source};
use crate::error::Result;
use crate::state::catalogue::{self, Catalogue, FolderId, Look, Message, MessageId};

/// How many keys are looked up at once.
pub(super) const AT_ONCE: usize = 10_000;

/// What is to be done in a folder.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub touched: Vec<Touched>,
    /// What is to be fetched.
    pub fresh: Vec<Listed>,
    /// Further keys of messages that are there.
    pub same: Vec<(String, MessageId)>,
    /// How far the folder will be known when all that is done.
    pub mark: catalogue::Mark,
    pub excluded: u64,
    /// How many messages are left out because they say that they are ours.
    pub ours: u64,
    /// Why it is not known which flags and labels changed.
    pub untold: Option<String>,
}

/// A listing, told apart.
#[derive(Default)]
struct Sifted {
    fresh: Vec<Listed>,
    there: HashSet<MessageId>,
    /// The least UID of those that are too young.
    young: Option<u32>,
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
        // A server that counts from the beginning again should say so with another UIDVALIDITY, and some do not: one that
        // was restored from a backup, say.
        let back = |now: Mark| {
            let is_back = |before: Mark| {
                let mod_seqs = now.mod_seq.zip(before.mod_seq);
                now.next < before.next || mod_seqs.is_some_and(|(now, before)| now < before)
            };
            same_uids(now) && before.is_some_and(is_back)
        };
        let mut recounted = self.folder.mark.is_some_and(back);
        let mut valid = before.filter(|_| !recounted && self.folder.mark.is_some_and(same_uids));
        let since = match valid {
            // Those that were refused are asked for again.
            Some(before) => {
                let least = waiting.iter().map(|message| uid(&message.key).unwrap_or(0)).min();
                let again = self.again(catalogue, before)?;
                Since { uid: least.unwrap_or(again).min(again), mod_seq: before.mod_seq }
            }
            None => Since::default(),
        };
        if recounted {
            catalogue.recount(self.known.id)?;
        }
        let mut listing = source.list(self.folder, since)?;
        if valid.is_some() {
            // One that was restored may have come as far as it was before.
            recounted = same_uids(listing.mark) && self.has_others(catalogue, &listing)?;
            // Or it was made anew between the two questions: what was listed is only the end of it.
            if recounted || !same_uids(listing.mark) {
                valid = None;
                if recounted {
                    catalogue.recount(self.known.id)?;
                }
                listing = source.list(self.folder, Since::default())?;
            }
        }
        let mut work = Work { untold: listing.untold.take(), ..Work::default() };
        let looked = match before.filter(|_| valid.is_some()) {
            Some(before) => {
                self.look_at_flags(source, catalogue, since.uid, (before, listing.mark), &mut work)?
            }
            None => Some(self.now),
        };
        let Mark { validity, next, messages, mod_seq } = listing.mark;
        let mut mark = catalogue::Mark { validity, next, messages, mod_seq, looked };
        let unasked = listing.unasked;
        let mut unlisted: HashSet<&str> = waiting.iter().map(|message| message.key.as_str()).collect();
        let all = listing.messages.into_iter().chain(listing.changed);
        let all = all.inspect(|listed| {
            unlisted.remove(listed.key.as_str());
        });
        // Nobody says that the UIDs are those of before; a Maildir's dates change, but its names say enough.
        let unsure = valid.is_none() && self.folder.mark.is_some();
        let counted = valid.map_or(0, |before| before.next);
        let Sifted { mut fresh, there, young } =
            self.sift(all, catalogue, (unsure, &unasked, counted), &mut work)?;
        // What is too young today is not too young for ever: it is listed again, with what follows.
        mark.next = young.map_or(mark.next, |young| mark.next.min(young));
        work.mark = mark;
        if valid.is_none() && self.known.stored > 0 {
            self.recognise(catalogue, there, &mut fresh, &mut work, same)?;
        }
        if !waiting.is_empty() {
            self.let_go(catalogue, &waiting, &unlisted, &fresh, listing.mark)?;
        }
        // By date: so each slice has days of its own, and no list of a day's messages is written again and again.
        fresh.sort_by_key(|listed| listed.date);
        work.fresh = fresh;
        Ok(work)
    }

    /// Tells apart what is listed. What is left out is counted from a UID on: what is before it was counted when it was seen
    /// first. A folder may have millions of messages: they are looked through some at a time, and what is not needed any
    /// more is not held.
    fn sift(
        &self,
        mut all: impl Iterator<Item = Listed>,
        catalogue: &Catalogue,
        (unsure, unasked, counted): (bool, &BTreeSet<u32>, u32),
        work: &mut Work,
    ) -> Result<Sifted> {
        let mut sifted = Sifted::default();
        loop {
            let some: Vec<Listed> = all.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(sifted);
            }
            let known = catalogue.known(self.known.id, some.iter().map(|listed| listed.key.as_str()))?;
            let mut fresh = Vec::new();
            for (listed, message) in some.into_iter().zip(known) {
                // A UID that was given once more names another message.
                let other =
                    |message: &Message| unsure && listed.date.is_some_and(|date| date != message.date());
                match message.filter(|message| !other(message)) {
                    Some(message) => {
                        sifted.there.insert(message.id);
                        if !is_mute(&listed) {
                            work.touched.extend(self.touched(&listed, message));
                        }
                    }
                    None if unasked.contains(&listed.uid) => {}
                    None => fresh.push(listed),
                }
            }
            let passed = catalogue.passed(self.known.id, fresh.iter().map(|listed| listed.key.as_str()))?;
            for (mut listed, passed) in fresh.into_iter().zip(passed) {
                match () {
                    () if passed => continue,
                    () if listed.ours => {
                        work.ours += u64::from(listed.uid >= counted);
                        continue;
                    }
                    () if self.rules.leave_out_for_good(&listed) => {}
                    () if self.rules.is_too_young(&listed) => {
                        let least = sifted.young.get_or_insert(listed.uid);
                        *least = listed.uid.min(*least);
                    }
                    () => {
                        // Who sent it is read in the message itself.
                        listed.from = None;
                        sifted.fresh.push(listed);
                        continue;
                    }
                }
                work.excluded += u64::from(listed.uid >= counted);
            }
        }
    }

    /// A known message whose flags or labels are other ones now.
    pub(super) fn touched(&self, listed: &Listed, message: Message) -> Option<Touched> {
        Touched::by(listed, message, &self.known.directory, self.labels)
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
                    work.touched.extend(self.touched(&listed, message));
                }
                None => fresh.push(listed),
            }
        }
        if fresh.is_empty() { Ok(()) } else { same.look_in(self.at, self.known, taken, catalogue) }
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
