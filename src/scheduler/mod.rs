//! What is due, what is late and what waits: the agent's judgement, as a pure function of time, memory and events.
//!
//! Nothing here reads a clock, a file or a database. [`Scheduler::step`] takes the time and one [`Event`], and says
//! what is to be done ([`Action`]). What has to survive a restart is in [`Memory`], one per profile, which the caller
//! keeps. A due time is *served* when the run that it is for is recorded as begun, in the same transaction: so a kill
//! at any moment neither loses a due time nor doubles it.
//!
//! ```text
//! Rules (of the profile) + Memory (of the state) + now -> due, late, overdue
//! Event {Tick, Woke, Changed, Asked, Skipped, Ended ...} -> Scheduler -> Action {Start, Save, Alarm, Digest ...}
//! ```

mod action;
mod due;
mod late;
mod memory;
mod slot;
mod step;
mod upcoming;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use action::{Action, Ended, Event, Late, Save, Start};
pub use due::{Missed, Rules};
pub use late::{alarm, retell};
pub use memory::{Alarm, Follows, Memory, Past, Pause, Pending, Skipped};
pub use slot::{RETRY_PATIENCE, View};
pub use step::Scheduler;
pub use upcoming::{Upcoming, Why};
