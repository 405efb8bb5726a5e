//! Bodies, in the order asked, each once: what does not come in company is asked for alone.
//!
//! Requests are written ahead as long as everything comes. Where something is missing in an answer, or the connection
//! breaks, what is under way comes to its end; then it is found out what became of that one, and it goes on.

mod ask;
mod spool;
mod tray;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use self::ask::{Asked, LARGEST, ask};
use self::tray::Tray;
use super::line::{Line, Tries, Trouble};
use crate::archive::source::{Listed, Refusal, Take};
use crate::entry::show;
use crate::error::{Error, Result};
use crate::mail::imap::{Failed, Item, Meaning, No};

/// How many bytes, and how many messages, are asked for at once. So many UIDs are always one command.
const BATCH: u64 = 4 << 20;
const TOGETHER: usize = 200;

/// At how many broken connections a message is the cause.
const STRIKES: u32 = 3;

/// How many messages in a row may be refused because of breaks, or with a "later": then it is not because of them.
const IN_A_ROW: u32 = 10;
const IN_A_ROW_LATER: u32 = 25;

/// How long is waited before a message is asked for once more that was refused with a "later".
const LATER: Duration = Duration::from_secs(1);

/// How many times it may be asked in vain what is left. It is not known how that could be.
const MOST_IDLE: u32 = 10;

/// Fetches messages of a folder, by its path and the server's name of it.
pub(super) fn fetch(
    line: &mut Line,
    path: &str,
    name: &str,
    messages: &[Listed],
    take: &mut Take<'_>,
) -> Result<()> {
    let folder = format!("{} in {}", show(path.as_bytes()), line.place());
    let mut work = Work {
        messages,
        validity: validity(messages, &folder)?,
        name,
        what: format!("cannot fetch messages of {folder}"),
        folder,
        tray: Tray::new(take, line.options.held),
        alone: BTreeSet::new(),
        strikes: BTreeMap::new(),
        later: HashSet::new(),
        crowded: false,
        in_a_row: (0, 0),
        came: 0,
    };
    let (mut tries, mut idle) = (Tries::default(), 0);
    while work.tray.next() < messages.len() {
        line.check()?;
        let before = work.known();
        match work.round(line) {
            Ok(()) if work.known() != before => idle = 0,
            Ok(()) if idle < MOST_IDLE => idle += 1,
            Ok(()) => {
                let error = Error::other(format!("{} gives nothing more of {}", line.place(), work.folder));
                return Err(error.hint("the next run goes on from there"));
            }
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Again(error)) => tries.wait(line, work.settled(), error)?,
        }
    }
    Ok(())
}

/// The UIDVALIDITY for which the messages were listed.
fn validity(messages: &[Listed], folder: &str) -> Result<u32> {
    let of = |listed: &Listed| {
        let (validity, uid) = listed.key.split_once('.')?;
        validity.parse().ok().filter(|_| uid.parse() == Ok(listed.uid))
    };
    let first = messages.first().and_then(of);
    match first.filter(|_| messages.iter().all(|listed| of(listed) == first)) {
        Some(validity) => Ok(validity),
        None => Err(Error::other(format!("these messages were not listed together in {folder}"))),
    }
}

struct Work<'a, 't, 'b> {
    messages: &'a [Listed],
    validity: u32,
    name: &'a str,
    folder: String,
    what: String,
    tray: Tray<'t, 'b>,
    /// What is asked for alone.
    alone: BTreeSet<usize>,
    /// How often the connection broke at a message.
    strikes: BTreeMap<usize, u32>,
    /// What was refused alone with a "later".
    later: HashSet<usize>,
    /// Whether there was no room for something that came out of turn.
    crowded: bool,
    /// How many were refused since the last body came: because of breaks, and with a "later".
    in_a_row: (u32, u32),
    /// How many bodies had come then.
    came: usize,
}

impl Work<'_, '_, '_> {
    /// How far it is, as a number that grows with each message of which something is known.
    fn settled(&self) -> usize {
        self.tray.next() + self.tray.came()
    }

    /// All that a round may change.
    fn known(&self) -> (usize, usize, usize, u32, bool) {
        let strikes = self.strikes.values().sum();
        (self.settled(), self.alone.len(), self.later.len(), strikes, self.crowded)
    }

    /// Asks for what can be asked now.
    fn round(&mut self, line: &mut Line) -> Result<(), Trouble> {
        let selected = line.open(self.name, &self.what)?;
        if selected.uid_validity != self.validity {
            return Err(Trouble::Final(
                Error::other(format!(
                    "{} is another one than when it was listed: its UIDVALIDITY was {} and is {}",
                    self.folder, self.validity, selected.uid_validity
                ))
                .hint("the next run lists it anew"),
            ));
        }
        // Where there is no room only the next one helps, in company or alone.
        let next = self.alone.first().filter(|at| !self.crowded || **at == self.tray.next());
        if next.is_some() { self.one_by_one(line) } else { self.ahead(line) }
    }

    /// Asks for all that is left, ahead.
    fn ahead(&mut self, line: &mut Line) -> Result<(), Trouble> {
        let messages = self.messages;
        let mut at = self.tray.next();
        while let Some(listed) = messages.get(at).filter(|listed| listed.size > LARGEST) {
            let why = format!("it has {} bytes, which is more than {LARGEST}", listed.size);
            self.tray.put(at, Err(Refusal::Refused(why)))?;
            at = self.tray.next();
        }
        let (tray, alone) = (&mut self.tray, &self.alone);
        let next = |tray: &Tray<'_, '_>| {
            let (mut batch, mut bytes) = (Vec::new(), 0_u64);
            while let Some(listed) = messages.get(at).filter(|listed| listed.size <= LARGEST) {
                if tray.has(at) || alone.contains(&at) {
                    at += 1;
                    continue;
                }
                bytes = bytes.saturating_add(listed.size);
                if !batch.is_empty() && (bytes > BATCH || batch.len() >= TOGETHER) {
                    break;
                }
                batch.push(at);
                at += 1;
            }
            (!batch.is_empty()).then_some(batch)
        };
        let asked = line.lend(|line, session| ask((line, session), messages, tray, false, next))?;
        let missing: Vec<usize> = asked.missing.iter().map(|(at, _)| *at).collect();
        self.alone.extend(missing);
        self.ended(line, asked)
    }

    /// Asks for what is missing: whether it is there, and then for each alone.
    fn one_by_one(&mut self, line: &mut Line) -> Result<(), Trouble> {
        let messages = self.messages;
        let uid = |at: &usize| messages.get(*at).map_or(0, |listed| listed.uid);
        let uids: Vec<u32> = self.alone.iter().map(uid).collect();
        let there = line.lend(|_, session| {
            // Others may have changed the folder since the server last told of it.
            match session.noop() {
                // One that has had enough says so whatever it is asked.
                Err(Failed::No(no)) if no.meaning() == Meaning::Throttled => Err(Failed::No(no)),
                Ok(()) | Err(Failed::No(_)) => session.fetch_all(&uids, &[Item::Flags]),
                Err(failed) => Err(failed),
            }
        })?;
        match there {
            Ok(there) => {
                let there: HashSet<u32> = there.iter().filter_map(|message| message.uid).collect();
                let gone: Vec<usize> =
                    self.alone.iter().copied().filter(|at| !there.contains(&uid(at))).collect();
                for at in gone {
                    self.settle(at, Refusal::Gone)?;
                }
            }
            // It does not say: asked alone, each will tell.
            Err(Failed::No(no)) if no.meaning() != Meaning::Throttled => {}
            Err(failed) => return Err(line.trouble(failed, &self.what)),
        }
        // One at which the connection broke is asked for when nothing else can be the cause.
        let struck = self.alone.iter().copied().find(|at| self.crowded || self.strikes.contains_key(at));
        let mut ask_for: Vec<usize> =
            struck.map_or_else(|| self.alone.iter().copied().collect(), |at| vec![at]);
        ask_for.reverse();
        let tray = &mut self.tray;
        let asked = line.lend(|line, session| {
            ask((line, session), messages, tray, true, |_| ask_for.pop().map(|at| vec![at]))
        })?;
        let mut wait = false;
        for (at, no) in &asked.missing {
            wait |= self.refused(line, *at, no.as_ref())?;
        }
        let Self { alone, strikes, tray, .. } = self;
        alone.retain(|at| !tray.has(*at));
        strikes.retain(|at, _| !tray.has(*at));
        self.ended(line, asked)?;
        if wait {
            line.rest(LATER)?;
        }
        Ok(())
    }

    /// A message that is there was asked for alone and did not come; whether it is to be asked for once more.
    fn refused(&mut self, line: &Line, at: usize, no: Option<&No>) -> Result<bool, Trouble> {
        let why = match no {
            None => "the server gives nothing for it".to_owned(),
            Some(no) if no.is_spent() => return Ok(false),
            // Words as of a budget may be about this message ("too many MIME parts"): all else was answered just now.
            Some(no) if matches!(no.meaning(), Meaning::Later | Meaning::Throttled) => {
                if self.later.insert(at) {
                    return Ok(true);
                }
                let later = &mut self.in_a_row().1;
                if *later >= IN_A_ROW_LATER {
                    return Err(Trouble::Final(match no.meaning() {
                        Meaning::Throttled => line.throttled(&no.text),
                        _ => Error::other(&*self.what).caused_by(no.text.clone()),
                    }));
                }
                *later += 1;
                no.text.clone()
            }
            Some(no) => no.text.clone(),
        };
        self.settle(at, Refusal::Refused(why))?;
        Ok(false)
    }

    fn settle(&mut self, at: usize, refusal: Refusal) -> Result<()> {
        self.alone.remove(&at);
        self.strikes.remove(&at);
        self.tray.put(at, Err(refusal))
    }

    /// The counts of refusals since the last body came.
    fn in_a_row(&mut self) -> &mut (u32, u32) {
        if std::mem::replace(&mut self.came, self.tray.came()) != self.tray.came() {
            self.in_a_row = (0, 0);
        }
        &mut self.in_a_row
    }

    /// What the end of asking means.
    fn ended(&mut self, line: &Line, asked: Asked) -> Result<(), Trouble> {
        let Asked { ended, suspect, halted, crowded, .. } = asked;
        self.crowded = crowded;
        if let Some(error) = halted {
            return Err(Trouble::Final(error));
        }
        let failed = match ended {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        if let Failed::Here(_) = &failed {
            return Err(line.trouble(failed, &self.what));
        }
        if failed.meaning() == Meaning::Throttled {
            return Err(line.trouble(failed, &self.what));
        }
        // A connection that we ended ourselves is no message's fault.
        line.check()?;
        if let Some(at) = suspect.filter(|at| !self.tray.has(*at)) {
            let strikes = self.strikes.entry(at).or_default();
            *strikes += 1;
            self.alone.insert(at);
            if *strikes >= STRIKES {
                let breaks = &mut self.in_a_row().0;
                if *breaks < IN_A_ROW {
                    *breaks += 1;
                    let why = format!("each time that it was asked for the connection broke: {failed}");
                    self.settle(at, Refusal::Refused(why))?;
                    return Ok(());
                }
            }
        }
        Err(line.trouble(failed, &self.what))
    }
}
