//! What rustic_core only warns of.
//!
//! It leaves out what it cannot read and says so to the `log` crate alone, where nobody listens. No failure may be lost:
//! each warning reaches every [`Listening`] of this process.

use std::sync::{Mutex, MutexGuard, Once};

use log::{LevelFilter, Log, Metadata, Record};

use crate::mutex::lock;

/// How many warnings are kept; the rest is counted.
const MOST: usize = 1_000;

/// Where the warnings of the library come from.
const LIBRARY: &str = "rustic_core";

/// The warnings since somebody began to listen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Warnings {
    /// The first of them.
    pub list: Vec<String>,
    /// How many there were.
    pub count: u64,
}

static HEARD: Mutex<Vec<(u64, Warnings)>> = Mutex::new(Vec::new());
static LOGGER: Logger = Logger;
static INSTALL: Once = Once::new();

fn heard() -> MutexGuard<'static, Vec<(u64, Warnings)>> {
    lock(&HEARD)
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn && metadata.target().starts_with(LIBRARY)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        for (_, warnings) in heard().iter_mut() {
            warnings.count += 1;
            if warnings.list.len() < MOST {
                warnings.list.push(text.clone());
            }
        }
    }

    fn flush(&self) {}
}

/// Hears warnings while it lives. Two that live at once both hear all of them: which work a thread of the library does
/// cannot be told.
#[derive(Debug)]
pub(crate) struct Listening(u64);

impl Listening {
    /// Begins to listen.
    pub fn begin() -> Self {
        INSTALL.call_once(|| {
            // A program around this library may have a logger of its own: then that one hears them.
            if log::set_logger(&LOGGER).is_ok() {
                log::set_max_level(LevelFilter::Warn);
            }
        });
        let mut heard = heard();
        let id = heard.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        heard.push((id, Warnings::default()));
        Self(id)
    }

    /// What was heard since the beginning, or since this was asked last.
    pub fn take(&self) -> Warnings {
        let mut heard = heard();
        let mine = heard.iter_mut().find(|(id, _)| *id == self.0);
        mine.map(|(_, warnings)| std::mem::take(warnings)).unwrap_or_default()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        heard().retain(|(id, _)| *id != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_the_library_reach_all_who_listen_and_no_others_do() {
        let first = Listening::begin();
        let warn = |target: &str, text: &str| log::warn!(target: target, "{text}");
        warn("rustic_core::archiver", "one of this test");
        let second = Listening::begin();
        warn("rustic_core::archiver", "two of this test");
        warn("ureq", "three of this test");
        let of_this = |warnings: Warnings| {
            warnings.list.into_iter().filter(|text| text.ends_with("of this test")).collect::<Vec<_>>()
        };
        assert_eq!(of_this(first.take()), ["one of this test", "two of this test"]);
        assert_eq!(of_this(second.take()), ["two of this test"]);
        assert_eq!(of_this(first.take()), <[&str; 0]>::default());
    }
}
