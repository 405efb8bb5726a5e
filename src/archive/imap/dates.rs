//! When single messages came: for one who wants to know whether a UID is still that of the same message.

use super::line::Line;
use crate::archive::source::Listed;
use crate::entry::show;
use crate::error::Result;
use crate::mail::imap::{Fetched, Item};

/// About how many bytes a server says of the date of a message.
const EXPECTED: u64 = 100;

/// Tells of messages of a folder, by its path and the server's name of it, when they came.
pub(super) fn dates(line: &mut Line, (path, name): (&str, &str), uids: &[u32]) -> Result<Vec<Listed>> {
    let what = format!("cannot ask for dates in {} in {}", show(path.as_bytes()), line.place());
    line.attempt(|line| {
        let selected = line.open_anew(name, &what)?;
        line.may_fetch(uids.len() as u64 * EXPECTED)?;
        let told = line.lend(|_, session| session.fetch_all(uids, &[Item::InternalDate]))?;
        let told = told.map_err(|failed| line.trouble(failed, &what))?;
        Ok(told.into_iter().filter_map(|message| read(&message, selected.uid_validity)).collect())
    })
}

fn read(message: &Fetched, validity: u32) -> Option<Listed> {
    let (uid, date) = (message.uid?, message.internal_date);
    Some(Listed { key: format!("{validity}.{uid}"), uid, date, ..Listed::default() })
}
