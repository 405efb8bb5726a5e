//! When the state cannot be written: the reserve is given up first, and if that does not help the report is sent from
//! memory. Nothing of it is kept then, so the process must not end well.

use std::path::Path;

use super::Agent;
use super::carry::{Carried, Carriers, Load};
use super::deliver::{EMBEDDED, WEBHOOK};
use super::inbox::Copy;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::mail::{Answer, webhook};
use crate::profile::{Config, Profile, ReportRules, Way};
use crate::report::{self, Rendered};
use crate::run::{Message, Outcome, Run, RunId, Status, Trigger};
use crate::state::{Begun, State};

/// Tells from memory that a profile does not run, because the state cannot be opened; the error says how that went.
pub fn tell_without_state(
    state_dir: &Path,
    config: &Config,
    clock: &dyn Clock,
    profile: &Profile,
    error: Error,
) -> Error {
    let Ok(state) = State::stand_in(state_dir) else { return error };
    let agent = Agent::with(state, state_dir, config, clock);
    let started = agent.now();
    let begun = Begun {
        id: super::new_id(started),
        profile: profile.name.clone(),
        trigger: Trigger::Manual,
        started,
        fingerprint: profile.fingerprint.clone(),
        serves: None,
    };
    agent.tell_of_no_start(profile, &begun, error)
}

impl Agent<'_> {
    /// Does `work`, and once more with the room of the reserve if it fails for the first time.
    pub(super) fn with_room<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(_) if self.state.make_room() => work(),
            result => result,
        }
    }

    /// Tells of a run that could not begin, because its beginning cannot be recorded.
    pub(super) fn tell_of_no_start(&self, profile: &Profile, begun: &Begun, error: Error) -> Error {
        let mut outcome = Outcome::new(Status::Failed);
        outcome.error = Some(Message {
            text: format!("the run did not start: {}", error.one_line()),
            hints: error.hints().to_vec(),
        });
        let run = Run {
            id: begun.id,
            profile: begun.profile.clone(),
            trigger: begun.trigger,
            started: begun.started,
            ended: self.now().max(begun.started),
            outcome,
        };
        match self.tell(&run, &begun.fingerprint, Some(profile), None) {
            Ok(told) => self.tell_unrecorded(run.id, &told.rendered, &profile.report, error),
            Err(_) => error,
        }
    }

    /// Sends a report from memory, and says in the error how that went.
    pub(super) fn tell_unrecorded(
        &self,
        id: RunId,
        report: &Rendered,
        rules: &ReportRules,
        error: Error,
    ) -> Error {
        let note = format!(
            "postkeep could not record this run: {}. This report was sent from memory, and is not in the history.",
            error.one_line()
        );
        let mail = report::with_note(&report.mail, id, &note);
        match self.send_from_memory(id, report, rules, &mail) {
            Some(how) => {
                error.hint(format!("the run is not recorded; its report was sent from memory ({how})"))
            }
            None => error.hint("the run is not recorded, and its report could not be sent either"),
        }
    }

    fn send_from_memory(
        &self,
        id: RunId,
        report: &Rendered,
        rules: &ReportRules,
        mail: &[u8],
    ) -> Option<String> {
        let mut carriers = Carriers::new(self);
        let own = rules.account.clone().unwrap_or_else(|| EMBEDDED.into());
        for way in std::iter::once(&Way::Account(own.clone())).chain(&rules.fallback) {
            match way {
                Way::Account(name) => {
                    let as_itself = *name != own;
                    let load =
                        Load { id, sender: &report.sender, as_itself, recipients: &report.readers, mail };
                    match carriers.carry(name, &load) {
                        Ok(Carried::Filed(path)) => return Some(path.display().to_string()),
                        Ok(Carried::Answered(answers)) if answers.contains(&Answer::Accepted) => {
                            return Some(format!("by the account {name}"));
                        }
                        Ok(Carried::Answered(_)) | Err(_) => {}
                    }
                }
                Way::ImapAppend => {
                    let copy = Copy { id, message_id: &report.message_id, mail };
                    if carriers.inboxes.append(&own, &copy).is_ok() {
                        return Some(format!("into the mailbox of the account {own}"));
                    }
                }
                Way::Webhook => {
                    let hook = rules.webhook.as_ref()?;
                    let json = report.json.to_string();
                    if webhook::post(hook, json.as_bytes(), WEBHOOK).is_ok() {
                        return Some(format!("to {}", hook.host()));
                    }
                }
            }
        }
        None
    }
}
