//! Sending, and what becomes of what was sent.

use std::collections::{BTreeSet, VecDeque};

use super::batch::{Batch, Waiting};
use super::identity::Identity;
use super::rivals::{Rivals, Sight, Standing};
use super::sift::UNCLEAR;
use super::{Bodies, Putting};
use crate::error::{Error, Result};
use crate::mail::imap::{Appended, Meaning, No};

/// How often one message is tried that breaks the connection, or is refused for the moment.
const TRIES: usize = 3;

impl Putting<'_> {
    /// Sends messages to a folder until each of them is there or has failed.
    pub(super) fn send<'m>(
        &mut self,
        folder: &str,
        waiting: Vec<Waiting<'m>>,
        rivals: &Rivals,
        bodies: &mut dyn Bodies,
    ) -> Result<()> {
        let meter = self.meter;
        let mut waiting: VecDeque<Waiting<'m>> = waiting.into();
        // What is sent again later is read alone: there is little of it.
        bodies.ahead(&mut waiting.iter().filter(|one| one.bytes.is_none()).map(|one| one.at));
        // Breaks since something came of it.
        let mut breaks = 0;
        while !waiting.is_empty() && !meter.is_cancelled() {
            let Some(known) = self.known.get(folder) else { return Ok(()) };
            let (path, permanent) = (known.path.clone(), known.permanent.clone());
            // Only opening is patient: what was sent must be looked for before it is sent again.
            let what = format!("cannot put messages at {}", self.place());
            self.patiently(&what, |_| Ok(()))?;
            let mut batch = Batch {
                waiting: std::mem::take(&mut waiting),
                bodies: &mut *bodies,
                meter,
                tally: &self.tally,
                most: self.target.dialer.account().limits.upload_per_day,
                permanent,
                sent: Vec::new(),
                unfit: Vec::new(),
                dropped: Vec::new(),
                full: false,
                paused: None,
                spent: None,
            };
            let Some(session) = self.session.as_mut() else { return Ok(()) };
            let failed = session.append(&path, &mut batch).err();
            let Batch { waiting: rest, sent, unfit, dropped, paused, spent, .. } = batch;
            self.tally.count();
            waiting = rest;
            unfit.into_iter().for_each(|(at, message, why)| self.fail(at, message, &why));
            for (message, kept, count) in dropped {
                self.drop_flags(&message.marks.flags, &kept, count);
            }
            let before = self.done.put + self.done.failures.errors;
            let stop = self.settle(folder, (sent, rivals), &mut waiting)?;
            if let Some(error) = stop.or(paused).or(spent.map(|spent| self.paused(spent))) {
                return Err(error);
            }
            let Some(failed) = failed else { continue };
            match failed.meaning() {
                Meaning::Throttled => return Err(self.throttled(failed.to_string())),
                Meaning::OverQuota | Meaning::Login => return Err(failed.error(what)),
                _ => {}
            }
            if self.done.put + self.done.failures.errors > before {
                breaks = 0;
            }
            if !self.wait(breaks) {
                return Err(failed.error(what));
            }
            breaks += 1;
            self.hang_up();
            self.after_a_break(folder, &mut waiting, rivals)?;
        }
        self.without_doubles(folder)
    }

    /// Takes in the answers. What is to be sent again comes first in `waiting`. An error is one that ends it all.
    fn settle<'m>(
        &mut self,
        folder: &str,
        (sent, rivals): (Vec<(Waiting<'m>, Appended)>, &Rivals),
        waiting: &mut VecDeque<Waiting<'m>>,
    ) -> Result<Option<Error>> {
        let mut stop = None;
        let mut again = Vec::new();
        let mut missing = false;
        let mut later = 0;
        for (mut one, result) in sent {
            match result {
                Appended::Stored(uid) => {
                    self.count(folder, (one.at, one.message), rivals);
                    let Some(known) = self.known.get_mut(folder) else { continue };
                    match uid {
                        Some((validity, uid)) if validity == known.validity => {
                            known.put.insert(uid);
                            if one.tries > 0 {
                                known.resent.push((one.ours, one.standing, uid));
                            }
                        }
                        _ => known.put_unseen.push(one.ours),
                    }
                }
                Appended::Unsent => again.push(one),
                Appended::Unknown => {
                    one.tries += 1;
                    again.push(one);
                }
                Appended::Refused { together, .. } if together > 1 => {
                    one.alone = true;
                    again.push(one);
                }
                Appended::Refused { no, .. } => match no.meaning() {
                    Meaning::Throttled => stop = Some(self.throttled(no.text)),
                    Meaning::OverQuota | Meaning::Login => {
                        let what = format!("cannot put messages at {}", self.place());
                        stop = Some(crate::mail::imap::Failed::No(no).error(what));
                    }
                    Meaning::Later | Meaning::Missing if one.tries < TRIES => {
                        missing |= no.meaning() == Meaning::Missing;
                        later = later.max(one.tries + 1);
                        one.tries += 1;
                        again.push(one);
                    }
                    _ => self.fail(one.at, one.message, &refused(&no)),
                },
            }
        }
        again.into_iter().rev().for_each(|one| waiting.push_front(one));
        if stop.is_some() {
            return Ok(stop);
        }
        if missing {
            // Somebody removed the folder meanwhile.
            let path = self.known.get(folder).map(|known| known.path.clone());
            self.make(path.as_deref().unwrap_or(folder))?;
            self.look(folder)?;
        } else if later > 0 {
            self.wait(later - 1);
        }
        Ok(None)
    }

    /// Looks which of the messages without an answer are there.
    fn after_a_break<'m>(
        &mut self,
        folder: &str,
        waiting: &mut VecDeque<Waiting<'m>>,
        rivals: &Rivals,
    ) -> Result<()> {
        let mut unclear = BTreeSet::new();
        for look in 0..2 {
            self.look(folder)?;
            let mut unknown = false;
            unclear.clear();
            let mut left = Vec::new();
            for one in std::mem::take(waiting) {
                if one.tries > 0 && self.came(folder, one.standing, &one.ours)? {
                    self.count(folder, (one.at, one.message), rivals);
                } else {
                    left.push(one);
                }
            }
            for one in left {
                let sight = match one.tries {
                    0 => Sight::Absent,
                    _ => self.sight(folder, &one, rivals),
                };
                if let Sight::There(_) = sight {
                    self.count(folder, (one.at, one.message), rivals);
                    continue;
                }
                if sight == Sight::Unclear {
                    unclear.insert(one.at);
                }
                unknown |= one.tries > 0;
                waiting.push_back(one);
            }
            // The server may still be at work on what it got.
            if !unknown || (look == 0 && !self.rest(self.target.settling)) {
                break;
            }
        }
        for mut one in std::mem::take(waiting) {
            if unclear.contains(&one.at) {
                self.fail(one.at, one.message, UNCLEAR);
            } else if one.tries > TRIES {
                self.fail(one.at, one.message, "the connection breaks whenever it is sent");
            } else {
                one.alone |= one.tries > 0;
                waiting.push_back(one);
            }
        }
        Ok(())
    }

    /// Whether a message that was sent is there: by Message-ID and second, where these tell, since a server may write
    /// messages anew; else by content.
    fn came(&mut self, folder: &str, standing: Standing, ours: &Identity) -> Result<bool> {
        let Some(known) = self.known.get_mut(folder) else { return Ok(false) };
        if standing == Standing::Alone && known.there.take_dated(ours) {
            return Ok(true);
        }
        self.is_there(folder, ours)
    }

    /// Looks whether what was sent again after a lost answer came twice, since a server may take its time with what it
    /// got first. Of two the one is removed that is surely ours: whose UID was told.
    fn without_doubles(&mut self, folder: &str) -> Result<()> {
        let resent =
            self.known.get_mut(folder).map(|known| std::mem::take(&mut known.resent)).unwrap_or_default();
        if resent.is_empty() {
            return Ok(());
        }
        self.look(folder)?;
        let mut twice = Vec::new();
        for (ours, standing, uid) in resent {
            if self.came(folder, standing, &ours)? {
                twice.push(uid);
            }
        }
        let Some(known) = self.known.get(folder).filter(|_| !twice.is_empty()) else { return Ok(()) };
        twice.sort_unstable();
        let (path, validity) = (known.path.clone(), known.validity);
        let what =
            format!("cannot remove messages that came twice from the folder {path} at {}", self.place());
        self.patiently(&what, |session| {
            match session.can_expunge() && session.select(&path)?.uid_validity == validity {
                true => session.expunge(&twice),
                false => Ok(()),
            }
        })
    }
}

fn refused(no: &No) -> String {
    format!("the server refuses it: {}", no.text)
}
