//! The flags of all messages of a folder, for servers that do not tell which changed (no CONDSTORE): one FETCH, of which
//! little is held.

use super::fields;
use super::line::{Line, Tries, Trouble};
use crate::archive::source::{Listed, Part};
use crate::entry::show;
use crate::error::Result as Outcome;
use crate::mail::imap::{Failed, Fetched, Item};

/// About how many bytes a server says of the flags of a message.
const EXPECTED: u64 = 60;

/// How many messages are told at once.
const TOGETHER: usize = 10_000;

/// Tells the flags of all messages before a UID. Where a connection breaks the next one goes on. Whether the server told.
pub(super) fn flags(
    line: &mut Line,
    (path, name): (&str, &str),
    before: u32,
    take: &mut Part<'_>,
) -> Outcome<bool> {
    let what = format!("cannot list the flags of {} in {}", show(path.as_bytes()), line.place());
    let (mut tries, mut last) = (Tries::default(), 0_u32);
    while last.saturating_add(1) < before {
        line.check()?;
        match go_on(line, &what, name, before, &mut last, take) {
            Ok(told) => return Ok(told),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Again(error)) => tries.wait(line, last as usize, error)?,
        }
    }
    Ok(true)
}

fn go_on(
    line: &mut Line,
    what: &str,
    name: &str,
    before: u32,
    last: &mut u32,
    take: &mut Part<'_>,
) -> Result<bool, Trouble> {
    let selected = line.open(name, what)?;
    if selected.messages == 0 {
        return Ok(true);
    }
    line.may_fetch(u64::from(selected.messages) * EXPECTED)?;
    let told = line.lend(|line, session| {
        let mut some = Vec::new();
        let first = last.saturating_add(1);
        let told = session.fetch_each(first, &[Item::Flags], &mut |message| {
            line.check()?;
            some.extend(read(message, selected.uid_validity).filter(|listed| listed.uid < before));
            if some.len() >= TOGETHER { tell(&mut some, last, take) } else { Ok(()) }
        });
        // What was told counts, whatever became of the rest.
        match &told {
            Err(Failed::Here(_)) => told,
            _ => tell(&mut some, last, take).map_err(Failed::Here).and(told),
        }
    })?;
    match told {
        // It does not say, and what is new is archived all the same.
        Err(Failed::No(no)) if !no.is_spent() => Ok(false),
        told => told.map(|()| true).map_err(|failed| line.trouble(failed, what)),
    }
}

/// Servers tell in the order of UIDs, so that the last one is how far it is.
fn tell(some: &mut Vec<Listed>, last: &mut u32, take: &mut Part<'_>) -> Outcome<()> {
    let most = some.iter().map(|listed| listed.uid).max();
    take(std::mem::take(some))?;
    *last = most.unwrap_or(*last).max(*last);
    Ok(())
}

fn read(message: Fetched, validity: u32) -> Option<Listed> {
    let (uid, flags) = (message.uid?, message.flags?);
    Some(Listed { key: format!("{validity}.{uid}"), uid, flags: fields::lasting(flags), ..Listed::default() })
}
