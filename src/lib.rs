//! postkeep runs sync profiles and tells you by e-mail what happened.
//!
//! The way of the data, from top to bottom:
//!
//! ```text
//! profiles/*.toml -> ProfileFile -> Profile
//!                                      |
//!    scan both sides -> Plan -> execute -> Outcome
//!                                             |
//!              Run {id, profile, trigger, started, ended, outcome}
//!                                             |
//!     one SQLite transaction: history row + log + outbox row (report rendered)
//!                                             |
//!                                outbox -> delivered | retry later
//! ```
//!
//! A module uses only the rows below its own (a test holds us to it):
//!
//! ```text
//! cli
//! daemon
//! agent
//! archive  backup  sync
//! vault
//! failures  filter  folder  journal  report  mail  state
//! scheduler
//! run  profile
//! replica  child
//! entry
//! error  clock  progress  figures  mutex
//! ```
//!
//! Only [`agent`] knows history, report and outbox together; [`report`], [`sync::plan`], [`scheduler`] and
//! [`profile`]'s checks read no clock.

pub mod agent;
pub mod archive;
pub mod backup;
pub mod child;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod entry;
pub mod error;
pub mod failures;
pub mod figures;
pub mod filter;
pub mod folder;
pub mod journal;
pub mod mail;
pub mod mutex;
pub mod profile;
pub mod progress;
pub mod replica;
pub mod report;
pub mod run;
pub mod scheduler;
pub mod state;
pub mod sync;
pub mod vault;
