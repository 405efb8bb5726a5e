//! Answers what is asked over the socket.

use super::Daemon;
use super::protocol::{Answer, Ask, AtWork, Status, Waiting};
use crate::profile::nearest;
use crate::progress::Reason;
use crate::scheduler::{self, Pause};

impl Daemon {
    pub(super) fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Status => Answer::Status(Box::new(self.status())),
            Ask::Run(profiles) => self.all_known(&profiles).unwrap_or_else(|| {
                self.step(scheduler::Event::Asked(profiles));
                Answer::Done
            }),
            Ask::Pause { profile, until } => self.all_known(profile.as_slice()).unwrap_or_else(|| {
                let pause = Pause { since: self.now(), until };
                self.step(scheduler::Event::Paused(profile.clone(), pause));
                self.kept(profile.as_deref())
            }),
            Ask::Resume(profile) => self.all_known(profile.as_slice()).unwrap_or_else(|| {
                self.step(scheduler::Event::Resumed(profile.clone()));
                self.kept(profile.as_deref())
            }),
            Ask::Cancel(profile) => match self.works.get(&profile).filter(|work| !work.over) {
                Some(work) => {
                    work.meter.cancel(Reason::Person);
                    Answer::Done
                }
                None => Answer::Refused(format!("no run of {profile} is at work in the agent")),
            },
            Ask::Reload => {
                self.reload();
                Answer::Done
            }
        }
    }

    /// Done, if it could be written down. Until then the agent follows it, and a restart would not.
    fn kept(&self, profile: Option<&str>) -> Answer {
        let open = profile.map_or(self.unkept.pause.is_some(), |name| self.unkept.saves.contains_key(name));
        match (!open, &self.trouble) {
            (true, _) => Answer::Done,
            (false, trouble) => Answer::Refused(format!(
                "it holds until the agent ends, but could not be written down: {}",
                trouble.as_deref().unwrap_or("the state cannot be written")
            )),
        }
    }

    /// None if the agent knows all of these profiles.
    fn all_known(&self, profiles: &[String]) -> Option<Answer> {
        let unknown = profiles.iter().find(|name| !self.scheduler.names().any(|known| known == *name))?;
        let near = nearest(unknown, self.scheduler.names());
        let near = near.map(|near| format!(" (did you mean \"{near}\"?)")).unwrap_or_default();
        Some(Answer::Refused(format!("the agent knows no profile \"{unknown}\"{near}")))
    }

    fn status(&self) -> Status {
        let views = self.scheduler.views(self.now());
        let at_work = self.works.iter().filter(|(_, work)| !work.over).map(|(profile, work)| {
            let done = work.meter.snapshot();
            AtWork {
                profile: profile.clone(),
                since: work.since,
                phase: work.phase().to_owned(),
                entries: done.entries,
                files_planned: done.files_planned,
                bytes_planned: done.bytes_planned,
                files_done: done.files_done,
                bytes_done: done.bytes_done,
                messages: done.messages,
                stuck: views.get(profile).is_some_and(|view| view.stuck),
            }
        });
        let waiting = views.iter().filter_map(|(profile, view)| {
            let reason = view.waits.clone().filter(|_| view.at_work.is_none())?;
            Some(Waiting { profile: profile.clone(), reason })
        });
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            awake: self.awake,
            at_work: at_work.collect(),
            waiting: waiting.collect(),
            watched: self.watch.seen().into_iter().chain(self.ears.seen()).collect(),
            kept: self.settings.kept.clone(),
            next_of_kept: self
                .settings
                .kept
                .iter()
                .filter_map(|name| Some((name.clone(), views.get(name)?.next?)))
                .collect(),
            problems: self.settings.problems.clone(),
        }
    }
}
