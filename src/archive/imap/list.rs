//! What is in a folder: one FETCH of all that is new, and one of what changed.
//!
//! A message that the server cannot describe, or at which it hangs up, is listed all the same, without a description: else
//! nobody would ever fetch it, and nobody would know.

use std::collections::BTreeSet;

use super::fields::FIELDS;
use super::line::{Line, Tries, Trouble};
use crate::archive::source::{Listing, Mark, Since};
use crate::entry::show;
use crate::error::{Error, Result as Outcome};
use crate::mail::imap::{Failed, Fetched, Item, No, Request, Section, Selected, Session, Sink};

mod breaks;
mod held;

use self::breaks::Breaks;
use self::held::Held;

/// About how many bytes a server says of a message.
const EXPECTED: u64 = 600;

/// How many messages are asked for at once, where all at once were too many.
const TOGETHER: usize = 100;

/// How many are asked for alone.
const ALONE: usize = 1000;

/// How often the connection may break as it is asked what changed, before it is done without.
const MOST_UNTOLD: u32 = 1;

/// What is asked of each message.
fn items(session: &Session) -> Vec<Item> {
    let mut items = vec![Item::Size, Item::InternalDate, Item::Flags];
    if session.is_gmail() {
        items.extend([Item::GmailMessage, Item::GmailThread, Item::GmailLabels]);
    }
    if session.offers().has("OBJECTID") {
        items.push(Item::EmailId);
    }
    items.push(Item::Fields(FIELDS));
    items
}

/// What is known of a folder, should the connection break.
struct Part {
    validity: u32,
    /// How far it was when it was begun: what changed since is told the next time.
    mod_seq: Option<u64>,
    new: Held,
    breaks: Breaks,
    /// How often the connection broke as it was asked what changed.
    untold: u32,
}

impl Part {
    /// It was not told what changed.
    fn said_nothing(&mut self, line: &Line, failed: Failed, what: &str) -> Trouble {
        self.untold += u32::from(breaks::is_break(&failed));
        line.trouble(failed, what)
    }
}

/// Lists a folder, by its path and the server's name of it. Where a connection breaks the next one goes on: some servers
/// end each session long before a large folder is listed.
pub(super) fn list(line: &mut Line, path: &str, name: &str, since: Since) -> Outcome<Listing> {
    let what = format!("cannot list {} in {}", show(path.as_bytes()), line.place());
    let (mut tries, mut part) = (Tries::default(), None);
    loop {
        line.check()?;
        match go_on(line, &what, name, since, &mut part) {
            Ok(listing) => return Ok(listing),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Again(error)) => {
                tries.wait(line, part.as_ref().map_or(0, |part| part.new.len()), error)?;
            }
        }
    }
}

fn go_on(
    line: &mut Line,
    what: &str,
    name: &str,
    since: Since,
    part: &mut Option<Part>,
) -> Result<Listing, Trouble> {
    let selected = line.open_anew(name, what)?;
    let (validity, first) = (selected.uid_validity, since.uid.max(1));
    if part.as_ref().is_some_and(|part| part.validity != validity) {
        *part = None;
    }
    let part = part.get_or_insert_with(|| Part {
        validity,
        mod_seq: selected.highest_mod_seq,
        new: Held::new(validity),
        breaks: Breaks::default(),
        untold: 0,
    });
    // RFC 9051 leaves open what n:* is in a folder without messages, and some servers call it wrong.
    if selected.messages > 0 && selected.uid_next.is_none_or(|next| next > first) {
        let from = part.new.last().unwrap_or(first);
        let many = selected.uid_next.map_or(u32::MAX, |next| next.saturating_sub(from));
        line.may_fetch(u64::from(many.min(selected.messages)) * EXPECTED)?;
        let listed = line.lend(|line, session| news(line, session, selected, first, part))?;
        if let Err(failed) = listed {
            if breaks::is_break(&failed) {
                part.breaks.happened(&mut part.new)?;
            }
            return Err(line.trouble(failed, what));
        }
    }
    let (mut old, mut unasked) = (Held::new(validity), BTreeSet::new());
    let (mut mod_seq, mut untold) = (part.mod_seq, None);
    if let Some(before) =
        since.mod_seq.filter(|before| first > 1 && mod_seq.is_some_and(|now| now != *before))
    {
        let changed = line.lend(|line, session| changed(line, session, (first, before), &mut old))?;
        match changed {
            // It is asked again the next time.
            Err(Failed::No(no)) if !no.is_spent() => mod_seq = Some(before),
            // What is new is worth more than what changed.
            Err(failed) if breaks::is_break(&failed) && part.untold >= MOST_UNTOLD => {
                (mod_seq, untold) = (Some(before), Some(failed.to_string()));
            }
            changed => match changed.map_err(|failed| part.said_nothing(line, failed, what))? {
                Some(others) => unasked = others,
                None => mod_seq = Some(before),
            },
        }
    }
    let last = part.new.last();
    let next = selected.uid_next.unwrap_or_else(|| last.map_or(first, |last| last.saturating_add(1)));
    let mark = Mark { validity, next, messages: selected.messages, mod_seq };
    let messages = std::mem::replace(&mut part.new, Held::new(validity)).into_messages();
    Ok(Listing { mark, messages, changed: old.into_messages(), unasked, untold })
}

/// What changed of messages before `first` since a HIGHESTMODSEQ. Gives those that nobody asked for: what Gmail's search does
/// not find. None: of some it was not told what flags and labels they have, and they are left out.
fn changed(
    line: &Line,
    session: &mut Session,
    (first, before): (u32, u64),
    old: &mut Held,
) -> Result<Option<BTreeSet<u32>>, Failed> {
    let (items, gmail) = (items(session), session.is_gmail());
    // A server tells of single flags, too, whenever somebody sets one.
    let (mut told, odd) = (BTreeSet::new(), session.odd_lines());
    session.fetch_changed(first, before, &items, &mut |message| {
        if message.flags.is_some() && (!gmail || message.gmail_labels.is_some()) {
            told.extend(message.uid);
        }
        take(line, old, message)
    })?;
    let count = old.len();
    old.retain(|uid| told.contains(&uid));
    let is_whole = old.len() == count && session.odd_lines() == odd;
    let mut others = BTreeSet::new();
    if let Some(query) = line.options.gmail_query.as_ref().filter(|_| old.len() > 0) {
        let found: BTreeSet<_> = session.search_gmail(1, first, query)?.into_iter().collect();
        others = told.difference(&found).copied().collect();
    }
    Ok(is_whole.then_some(others))
}

fn take(line: &Line, held: &mut Held, message: Fetched) -> Outcome<()> {
    line.check()?;
    held.learn(message)
}

/// What came since.
fn news(
    line: &Line,
    session: &mut Session,
    selected: Selected,
    first: u32,
    part: &mut Part,
) -> Result<(), Failed> {
    let items = items(session);
    let Part { new, breaks, .. } = part;
    let mut uids = match &line.options.gmail_query {
        Some(query) => session.search_gmail(first, selected.uid_next.unwrap_or(u32::MAX), query)?,
        // All at once it does not tell them.
        None if breaks.want_care() => uids(line, session, first)?,
        None => {
            let from = new.last().map_or(first, |last| last.saturating_add(1));
            // How many there are is known of the whole folder only.
            let is_all = |new: &Held| first == 1 && new.len() >= selected.messages as usize;
            let odd = session.odd_lines();
            match session.fetch_each(from, &items, &mut |message| take(line, new, message)) {
                Ok(()) if from == first && is_all(new) && session.odd_lines() == odd => return Ok(()),
                // Some may be gone since, or it left some out, or told of one what cannot be understood.
                Ok(()) => {}
                Err(Failed::No(no)) if !no.is_spent() => {}
                Err(failed) => return Err(failed),
            }
            uids(line, session, first)?
        }
    };
    uids.retain(|uid| !new.has(*uid));
    if breaks.want_care() {
        for uid in uids.iter().take(TOGETHER) {
            breaks.ask(*uid);
            again(line, session, &[*uid], 1, &items, new)?;
            breaks.answered();
        }
        breaks.end();
        uids.retain(|uid| !new.has(*uid));
    }
    let refused = again(line, session, &uids, TOGETHER, &items, new)?;
    again(line, session, refused.get(..ALONE).unwrap_or(&refused), 1, &items, new)?;
    uids.into_iter().try_for_each(|uid| new.add(uid)).map_err(Failed::Here)
}

/// Which messages there are, and nothing else.
fn uids(line: &Line, session: &mut Session, first: u32) -> Result<Vec<u32>, Failed> {
    let mut uids = BTreeSet::new();
    let odd = session.odd_lines();
    session.fetch_each(first, &[], &mut |message| {
        line.check()?;
        held::bounded(uids.len())?;
        uids.extend(message.uid);
        Ok(())
    })?;
    if session.odd_lines() > odd {
        let error =
            Error::other("the server does not tell in a way that can be understood which messages there are");
        return Err(Failed::Here(error.hint("that is a fault of the server: tell its operator")));
    }
    Ok(uids.into_iter().collect())
}

/// Asks for messages, so many at once. Gives those of which the server did not want to tell.
fn again(
    line: &Line,
    session: &mut Session,
    uids: &[u32],
    together: usize,
    items: &[Item],
    new: &mut Held,
) -> Result<Vec<u32>, Failed> {
    struct Into<'a> {
        line: &'a Line,
        new: &'a mut Held,
        no: Option<No>,
    }
    impl Sink for Into<'_> {
        fn begin(&mut self, _: &Fetched, _: Section, _: u64) -> Outcome<()> {
            Ok(())
        }
        fn bytes(&mut self, _: &[u8]) -> Outcome<()> {
            Ok(())
        }
        fn end(&mut self, message: Fetched) -> Outcome<()> {
            take(self.line, self.new, message)
        }
        fn answered(&mut self, _: usize, no: Option<&No>) -> Outcome<()> {
            if let Some(no) = no.filter(|no| no.is_spent()) {
                self.no = Some(no.clone());
            }
            Ok(())
        }
    }
    let mut sink = Into { line, new, no: None };
    let chunks: Vec<&[u32]> = uids.chunks(together).collect();
    let requests = chunks.iter().map(|uids| Request {
        uids: uids.to_vec(),
        items: items.to_vec(),
        expected: uids.len() as u64 * EXPECTED,
    });
    let refused = session.fetch(requests, &mut sink)?;
    if let Some(no) = sink.no {
        return Err(Failed::No(no));
    }
    let of = |request: usize| chunks.get(request).copied().unwrap_or_default();
    let refused = refused.iter().flat_map(|refused| of(refused.request)).copied();
    Ok(refused.filter(|uid| !new.has(*uid)).collect())
}
