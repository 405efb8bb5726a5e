//! What the verbs about times to come look at: the configuration, the state, the agent, and the scheduler that these
//! make.

use jiff::Timestamp;

use super::{Context, config};
use crate::agent;
use crate::cli::standing::Standings;
use crate::clock::{self, Clock, System};
use crate::daemon::client;
use crate::daemon::protocol::Status;
use crate::error::{Error, Result};
use crate::profile::{Config, Problem};
use crate::scheduler::{Action, Scheduler};
use crate::state::State;

/// What was found.
pub(super) struct Outlook {
    pub config: Config,
    /// What keeps profiles from being used.
    pub problems: Vec<Problem>,
    /// The state; where nothing was ever recorded, one that knows nothing.
    pub state: State,
    /// Whether there is a state at all.
    pub recorded: bool,
    /// The agent, if there is one; or why it does not answer.
    pub agent: Result<Option<Status>>,
    /// As the agent has it, as far as that can be seen from here.
    pub scheduler: Scheduler,
    /// What an agent would keep of profiles that are new.
    pub unkept: Vec<Action>,
    /// Since when the machine could run something.
    pub awake: Timestamp,
    pub now: Timestamp,
}

impl Outlook {
    /// Looks around; `names` are refused where no profile is called so.
    pub(super) fn look(ctx: &Context, names: &[String]) -> Result<Self> {
        let (config, problems) = config::load_known(ctx, names)?;
        let now = System.now();
        let agent = client::status(&ctx.state_dir);
        let (state, recorded) = match agent::look(&ctx.state_dir)? {
            Some(state) => (state, true),
            None => (State::stand_in(&ctx.state_dir)?, false),
        };
        let awake = match &agent {
            Ok(Some(status)) => status.awake,
            _ => clock::booted(now),
        };
        let (scheduler, unkept) = agent::timetable(&state, &config, now, awake)?;
        Ok(Self { config, problems, state, recorded, agent, scheduler, unkept, awake, now })
    }

    /// The agent, where it answers.
    pub(super) fn status(&self) -> Option<&Status> {
        self.agent.as_ref().ok().and_then(Option::as_ref)
    }

    /// How everything stands.
    pub(super) fn standings(&self) -> Result<Standings> {
        let state = self.recorded.then_some(&self.state);
        Standings::look(state, &self.config, &self.problems, &self.scheduler, self.status(), self.now)
    }

    /// What to say of an agent that does not do its work: a sentence with what to do. None where it answers.
    pub(super) fn without_agent(&self, then: &str) -> Option<String> {
        match &self.agent {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!("no agent is running: {then} (postkeep agent install)")),
            Err(error) => Some(unanswered(error)),
        }
    }
}

/// What an agent that does not answer is worth to a person.
fn unanswered(error: &Error) -> String {
    let hints: String = error.hints().iter().map(|hint| format!("\n  hint: {hint}")).collect();
    format!("{}{hints}", error.one_line())
}
