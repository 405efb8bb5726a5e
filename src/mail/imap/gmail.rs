//! What only Gmail has: a search in its own words.

use super::Session;
use super::commands::Found;
use super::engine::Event;
use super::failed::Failed;
use super::folders::quote;
use crate::error::Error;

/// How many UIDs are looked through with one command: its answer is one line, which has a longest length.
const WINDOW: u32 = 200_000;

/// The most commands for one search: then each looks through more.
const MOST: u32 = 256;

/// The longest query, in bytes.
const LONGEST: usize = 2000;

impl Session {
    /// Whether the server is Gmail, or speaks as it does.
    pub fn is_gmail(&self) -> bool {
        self.offers.has("X-GM-EXT-1")
    }

    /// UIDs from `first` on, and before `next`, of the messages in the open folder that Gmail's own search finds, such as
    /// with `has:attachment label:work`. Lowest first.
    ///
    /// # Errors
    /// The server is not Gmail, or refuses; the connection broke; or it is no query.
    pub fn search_gmail(&mut self, first: u32, next: u32, query: &str) -> Result<Vec<u32>, Failed> {
        if !self.is_gmail() {
            return Err(Failed::Here(
                Error::other(format!("{} does not know Gmail's search", self.server))
                    .hint("take `gmail-query` out, or use an account at Gmail"),
            ));
        }
        if query.len() > LONGEST || query.chars().any(char::is_control) {
            return Err(Failed::Here(Error::other(
                "this is no query for Gmail's search: it is too long, or not one line",
            )));
        }
        let window = WINDOW.max(next.saturating_sub(first) / MOST);
        let mut found = Found::default();
        let mut from = first;
        while from < next {
            let to = from.saturating_add(window).min(next);
            self.search_window(&format!("{from}:{}", to - 1), query, &mut found)?;
            from = to;
        }
        // A server may tell of others.
        let uids = found.sorted().into_iter().filter(|uid| (first..next).contains(uid));
        Ok(uids.collect())
    }

    fn search_window(&mut self, uids: &str, query: &str, found: &mut Found) -> Result<(), Failed> {
        let answer = self.work(|engine| {
            if query.is_ascii() {
                return engine.run(&format!("UID SEARCH UID {uids} X-GM-RAW {}", quote(query)), found);
            }
            engine.send(&format!("UID SEARCH CHARSET UTF-8 UID {uids} X-GM-RAW {{{}}}", query.len()))?;
            match engine.event(found)? {
                Event::Answered(_, answer) => Ok(answer),
                Event::Continue => {
                    engine.write(query.as_bytes())?;
                    engine.write(b"\r\n")?;
                    engine.flush()?;
                    engine.answer(found)
                }
            }
        })?;
        answer.yes()?;
        Ok(())
    }
}
