//! The scheduler as the state and the configuration make it: for the agent when it starts, and for whoever only wants
//! to know what is due.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::facts::zone;
use crate::error::Result;
use crate::profile::{Config, Profile};
use crate::run::{Status, Trigger};
use crate::scheduler::{Action, Rules, Scheduler};
use crate::state::{Query, RunRow, Setting, State};

/// The scheduler of all profiles, since `awake`, the start of the machine or of the agent; and what is to be kept of
/// profiles that are new. Nothing is written.
///
/// # Errors
/// The state cannot be read.
pub fn timetable(
    state: &State,
    config: &Config,
    now: Timestamp,
    awake: Timestamp,
) -> Result<(Scheduler, Vec<Action>)> {
    let memories = state.memories();
    let mut scheduler = Scheduler::new(awake, config.agent.parallel, memories.paused()?);
    let mut known = memories.all()?;
    let mut actions = Vec::new();
    let (machine, zone) = (state.install_id()?, TimeZone::system());
    for profile in &config.profiles {
        let memory = known.remove(&profile.name);
        let past = state.history().past(&profile.name)?;
        // Of a profile that is new nothing was due before now; one that is known could have run since `awake`.
        let is_known = memory.is_some();
        let rules = Rules::new(&profile.name, &profile.timing, &zone, &machine);
        actions.extend(scheduler.put(now, &profile.name, rules, memory, past));
        if is_known {
            scheduler.awake_since(&profile.name, awake);
        }
        if is_to_be_made_up_for(state, &profile.name)? {
            scheduler.interrupted(&profile.name);
        }
    }
    // A failure that was kept back for a try of a profile that is gone.
    let gone = known.into_iter().filter_map(|(name, memory)| Some(Action::Tell(name, memory.retry?)));
    actions.extend(gone);
    scheduler.set_digest(digest(state, config, now)?);
    Ok((scheduler, actions))
}

/// Whether the profile's last run was cut short, and nobody but the agent is to run it again. Not one that was cut short
/// twice: it may be what ends the agent.
fn is_to_be_made_up_for(state: &State, profile: &str) -> Result<bool> {
    let runs = state.history().runs(&Query { profile: Some(profile), limit: 2, before: None })?;
    let cut = |run: Option<&RunRow>| run.is_some_and(|run| run.status == Status::Interrupted);
    Ok(cut(runs.first()) && runs[0].trigger != Trigger::Manual && !cut(runs.get(1)))
}

/// By what a profile is scheduled on this machine.
///
/// # Errors
/// The state cannot be read.
pub fn rules(state: &State, profile: &Profile) -> Result<Rules> {
    Ok(Rules::new(&profile.name, &profile.timing, &TimeZone::system(), &state.install_id()?))
}

/// When digests come, if they do: their schedule, its zone, and from when on they count.
///
/// # Errors
/// The state cannot be read.
pub fn digest(
    state: &State,
    config: &Config,
    now: Timestamp,
) -> Result<Option<(crate::profile::Schedule, TimeZone, Timestamp)>> {
    let Some(schedule) = &config.report.digest else { return Ok(None) };
    let served = state.memories().time(Setting::Digest)?;
    Ok(Some((schedule.clone(), zone(&config.report), served.unwrap_or(now))))
}
