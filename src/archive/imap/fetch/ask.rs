//! Bodies, asked for ahead: the sink that takes them as they come, and the requests that follow them.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use super::spool::Spool;
use super::tray::Tray;
use crate::archive::imap::line::Line;
use crate::archive::source::{Listed, Refusal};
use crate::error::{Error, Result};
use crate::mail::imap::{Failed, Fetched, Item, Meter, No, Request, Section, Session, Sink};

/// The largest body that is taken, in bytes: no mail has as much.
pub(super) const LARGEST: u64 = 1 << 30;

/// What an answer has at most beside the body, in bytes, and the least that is expected of one: so only some thousands
/// are under way at once, however small they are.
const BESIDE: u64 = 200;
const LEAST: u64 = 4096;

/// What came of asking.
pub(super) struct Asked {
    /// How it ended.
    pub(super) ended: Result<(), Failed>,
    /// What was answered and did not come, with the server's no.
    pub(super) missing: Vec<(usize, Option<No>)>,
    /// What was being sent as it ended, or was to come next.
    pub(super) suspect: Option<usize>,
    /// Whether something came out of turn and found no room.
    pub(super) crowded: bool,
    /// Why no more was asked.
    pub(super) halted: Option<Error>,
}

/// Asks for messages, in batches that `next` gives: `to_the_end`, or as long as everything comes.
pub(super) fn ask(
    (line, session): (&Line, &mut Session),
    messages: &[Listed],
    tray: &mut Tray<'_, '_>,
    to_the_end: bool,
    mut next: impl FnMut(&Tray<'_, '_>) -> Option<Vec<usize>>,
) -> Asked {
    let asking = RefCell::new(Asking {
        line,
        messages,
        tray,
        to_the_end,
        under_way: HashMap::new(),
        batches: Vec::new(),
        missing: Vec::new(),
        left_out: BTreeSet::new(),
        coming: None,
        too_large: None,
        halted: None,
    });
    let meter = session.meter();
    let requests = std::iter::from_fn(|| asking.borrow_mut().request(&meter, &mut next));
    let mut ended = session.fetch(requests, &mut Taking(&asking)).map(drop);
    let mut asking = asking.into_inner();
    if let Some((at, why)) = asking.too_large.take() {
        // We hung up, and know why.
        ended = match at {
            Some(at) => asking.tray.put(at, Err(Refusal::Refused(why))).map_err(Failed::Here),
            None => Err(Failed::Broken { why, bye: None }),
        };
    }
    let coming = asking.coming.as_ref().and_then(|coming| coming.at);
    let next = asking.under_way.values().copied().filter(|at| !asking.tray.has(*at)).min();
    let (missing, suspect, crowded) = (asking.missing, coming.or(next), !asking.left_out.is_empty());
    Asked { ended, missing, suspect, crowded, halted: asking.halted }
}

/// A body that is being sent.
struct Coming {
    seq: u32,
    /// Which one; None: its UID was not told yet.
    at: Option<usize>,
    spool: Spool,
}

struct Asking<'a, 'b, 'c> {
    line: &'a Line,
    messages: &'a [Listed],
    tray: &'a mut Tray<'b, 'c>,
    to_the_end: bool,
    /// What was asked and not answered, by UID.
    under_way: HashMap<u32, usize>,
    /// The same by request.
    batches: Vec<Vec<usize>>,
    missing: Vec<(usize, Option<No>)>,
    /// What came out of turn and found no room: it is asked for again.
    left_out: BTreeSet<usize>,
    coming: Option<Coming>,
    /// Which one was too large, and how.
    too_large: Option<(Option<usize>, String)>,
    halted: Option<Error>,
}

impl Asking<'_, '_, '_> {
    fn request(
        &mut self,
        meter: &Meter,
        next: &mut impl FnMut(&Tray<'_, '_>) -> Option<Vec<usize>>,
    ) -> Option<Request> {
        self.line.count_by(meter);
        // What is missing is looked for first: what comes meanwhile has to wait.
        let gap = !self.missing.is_empty() && !self.to_the_end;
        if self.halted.is_some() || gap || !self.left_out.is_empty() {
            return None;
        }
        let batch = next(self.tray)?;
        let (mut bytes, mut expected, mut uids) = (0_u64, 0_u64, Vec::with_capacity(batch.len()));
        for (at, message) in batch.iter().filter_map(|at| Some((*at, self.messages.get(*at)?))) {
            bytes = bytes.saturating_add(message.size + BESIDE);
            expected = expected.saturating_add(message.size.max(LEAST) + BESIDE);
            uids.push(message.uid);
            self.under_way.insert(message.uid, at);
        }
        if let Err(error) = self.line.check().and_then(|()| self.line.may_fetch(bytes)) {
            for uid in &uids {
                self.under_way.remove(uid);
            }
            self.halted = Some(error);
            return None;
        }
        self.batches.push(batch);
        uids.sort_unstable();
        Some(Request { uids, items: vec![Item::Message], expected })
    }

    fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Result<()> {
        self.coming = None;
        let at = message.uid.and_then(|uid| self.under_way.get(&uid).copied());
        if section != Section::Message(0) || (message.uid.is_some() && at.is_none()) {
            return Ok(());
        }
        if size > LARGEST {
            // To hang up is cheaper than to let it pass.
            let why = format!("the server sends {size} bytes for it, which is more than {LARGEST}");
            self.too_large = Some((at, why.clone()));
            return Err(Error::other(why));
        }
        if let Some(at) = at {
            if self.tray.has(at) {
                return Ok(());
            }
            if !self.tray.has_room(at, size, size > self.line.options.held) {
                self.left_out.insert(at);
                return Ok(());
            }
            let announced = self.messages.get(at).map_or(0, |listed| listed.size);
            if size > announced.saturating_add(LEAST) {
                self.line.may_fetch(size - announced)?;
            }
        }
        let spool = Spool::new(size, self.line.options.held, &self.line.options.spool)?;
        self.coming = Some(Coming { seq: message.seq, at, spool });
        Ok(())
    }

    fn end(&mut self, message: &Fetched) -> Result<()> {
        let coming = self.coming.take().filter(|coming| coming.seq == message.seq);
        let told = message.uid.and_then(|uid| self.under_way.get(&uid).copied());
        let (Some(coming), Some(at)) = (coming, told) else { return Ok(()) };
        if coming.at.is_some_and(|begun| begun != at) {
            return Ok(());
        }
        self.line.check()?;
        // A message without a byte is none: that is how some servers say that they have not got it.
        if coming.spool.size() == 0 {
            return Ok(());
        }
        if !self.tray.has_room(at, coming.spool.size(), coming.spool.is_file()) {
            self.left_out.insert(at);
            return Ok(());
        }
        self.tray.put(at, Ok(coming.spool.end()?))
    }

    fn answered(&mut self, request: usize, no: Option<&No>) {
        let batch = self.batches.get_mut(request).map(std::mem::take).unwrap_or_default();
        if let Some(no) = no.filter(|no| no.is_spent()) {
            self.halted = Some(self.line.throttled(&no.text));
        }
        for at in batch {
            if let Some(message) = self.messages.get(at) {
                self.under_way.remove(&message.uid);
            }
            if !self.tray.has(at) && !self.left_out.contains(&at) {
                self.missing.push((at, no.cloned()));
            }
        }
    }
}

struct Taking<'r, 'a, 'b, 'c>(&'r RefCell<Asking<'a, 'b, 'c>>);

impl Sink for Taking<'_, '_, '_, '_> {
    fn begin(&mut self, message: &Fetched, section: Section, size: u64) -> Result<()> {
        self.0.borrow_mut().begin(message, section, size)
    }

    fn bytes(&mut self, part: &[u8]) -> Result<()> {
        let mut asking = self.0.borrow_mut();
        let Asking { line, coming, .. } = &mut *asking;
        coming.as_mut().map_or(Ok(()), |coming| coming.spool.write(part, &line.options.spool))
    }

    fn end(&mut self, message: Fetched) -> Result<()> {
        self.0.borrow_mut().end(&message)
    }

    fn answered(&mut self, request: usize, no: Option<&No>) -> Result<()> {
        self.0.borrow_mut().answered(request, no);
        Ok(())
    }
}
