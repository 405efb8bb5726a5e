//! What is remembered of a profile from one start of the agent to the next.

use jiff::Timestamp;

use crate::run::RunId;

/// What the scheduler remembers of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The last due time that was served; before the first, the moment from which due times count.
    pub served: Timestamp,
    /// What `served` was counted by: under another rhythm the past says nothing.
    pub rhythm: String,
    /// A run failed, is not told yet, and is to be tried again.
    pub retry: Option<Pending>,
    /// A run paused, was told, and goes on then.
    pub resume: Option<Timestamp>,
    /// A condition of the profile has not been met since.
    pub skipped: Option<Skipped>,
    /// A person wants no runs.
    pub paused: Option<Pause>,
    /// An alarm was raised, and nothing has run since.
    pub alarm: Option<Alarm>,
}

impl Memory {
    /// Of a profile that is seen for the first time.
    pub fn new(now: Timestamp, rhythm: String) -> Self {
        Self { served: now, rhythm, retry: None, resume: None, skipped: None, paused: None, alarm: None }
    }

    /// What follows from the last run.
    pub fn follows(&self) -> Follows {
        Follows { retry: self.retry, resume: self.resume }
    }
}

/// What follows from a run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Follows {
    /// The next try, if it failed and is tried again.
    pub retry: Option<Pending>,
    /// When it goes on, if it paused.
    pub resume: Option<Timestamp>,
}

/// A try that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its number: 2 is the first after the run itself.
    pub number: u32,
    /// When it is due.
    pub at: Timestamp,
    /// The run that failed last: it is told if the try cannot come.
    pub run: RunId,
}

/// Runs that did not happen because a condition was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Since when.
    pub since: Timestamp,
    /// Which condition, as a sentence.
    pub reason: String,
}

/// A time without runs that a person wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when; None: until somebody resumes.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// An alarm that was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// The due time that passed without a run.
    pub due: Timestamp,
    /// When it was told last.
    pub told: Timestamp,
    /// How often it was told.
    pub times: u32,
}

/// What the history says about a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// When the first run began that is known.
    pub first_run: Option<Timestamp>,
    /// When the last run began that has ended, however it ended.
    pub last_run: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When the last success began.
    pub last_success: Option<Timestamp>,
}
