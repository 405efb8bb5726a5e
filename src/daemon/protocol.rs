//! What is said over the agent's socket: one line of JSON each way, then it is closed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of what is said here. An agent answers another one with [`Answer::Refused`], in words.
pub const VERSION: u32 = 1;

/// The longest line, in bytes.
pub const LONGEST: u64 = 4 << 20;

/// A question with the version that it is asked in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// [`VERSION`].
    pub protocol: u32,
    /// What is asked.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// How things stand.
    Status,
    /// Run these profiles as soon as there is room.
    Run(Vec<String>),
    /// No runs by themselves: of this profile, or of all.
    Pause {
        /// The profile; None: all.
        profile: Option<String>,
        /// Until when; None: until somebody resumes.
        until: Option<Timestamp>,
    },
    /// Runs by themselves again.
    Resume(Option<String>),
    /// Stop a run after the file at hand, by its profile.
    Cancel(String),
    /// Read the configuration again.
    Reload,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, or begun.
    Done,
    /// It cannot be, for this reason.
    Refused(String),
    /// How things stand.
    Status(Box<Status>),
}

/// How the agent stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Since when the machine is awake, as far as it knows.
    pub awake: Timestamp,
    /// The runs at work.
    pub at_work: Vec<AtWork>,
    /// Profiles that should run and wait, and why.
    pub waiting: Vec<Waiting>,
    /// How the sources are watched of profiles that run on changes.
    pub watched: Vec<Watched>,
    /// Profiles whose edit cannot be used: they go on with their last good version.
    pub kept: Vec<String>,
    /// When these run next by the clock.
    pub next_of_kept: BTreeMap<String, Timestamp>,
    /// What is wrong with the configuration, if anything.
    pub problems: Vec<String>,
}

/// A run at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AtWork {
    /// Its profile.
    pub profile: String,
    /// Since when.
    pub since: Timestamp,
    /// What it does: comparing, working, flushing.
    pub phase: String,
    /// Entries compared so far, of both sides.
    pub entries: u64,
    /// Files to be copied.
    pub files_planned: u64,
    /// Bytes to be copied.
    pub bytes_planned: u64,
    /// Files copied.
    pub files_done: u64,
    /// Bytes copied.
    pub bytes_done: u64,
    /// Whether each file is a message.
    #[serde(default)]
    pub messages: bool,
    /// It does not react any more.
    pub stuck: bool,
}

/// A profile that should run and waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiting {
    /// Its name.
    pub profile: String,
    /// Why.
    pub reason: String,
}

/// How a source is watched: files, or a mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Watched {
    /// The profile.
    pub profile: String,
    /// None: what happens there is heard of. Else why it cannot be, and what is done instead.
    pub polled: Option<String>,
}
