//! Letters that tell of no run: of runs that did not happen, of a configuration that cannot be used, of a run that
//! hangs.

use jiff::Timestamp;

use super::Agent;
use super::facts::zone;
use crate::error::Result;
use crate::profile::{Level, ReportRules};
use crate::report::{self, Notice, Rendered, What};
use crate::run::RunId;
use crate::scheduler::{Late, View, retell};
use crate::state::{NewLetter, Query, Report, Setting};

/// A letter with all that the outbox wants to know of it.
struct Written {
    id: RunId,
    rendered: Rendered,
    letter: NewLetter,
}

impl Written {
    fn report(&self) -> Report<'_> {
        let Rendered { message_id, subject, mail, .. } = &self.rendered;
        Report { message_id, subject, mail }
    }
}

impl Agent<'_> {
    /// Tells that profiles did not run: one letter to each circle of readers, into the outbox. `view` says what else is
    /// known of a profile.
    ///
    /// # Errors
    /// The state cannot be read or written; nothing was told then.
    pub fn tell_late(&self, late: &[Late], view: &dyn Fn(&str) -> Option<View>) -> Result<()> {
        let mut circles: Vec<(&ReportRules, Vec<&Late>)> = Vec::new();
        for one in late {
            let rules = self.rules(self.profiles.iter().find(|profile| profile.name == one.profile));
            if !rules.on.iter().any(|level| matches!(level, Level::Overdue | Level::Failure)) {
                continue;
            }
            match circles.iter_mut().find(|(known, _)| same_readers(known, rules)) {
                Some((_, members)) => members.push(one),
                None => circles.push((rules, vec![one])),
            }
        }
        let now = self.now();
        let mut written = Vec::new();
        for (rules, members) in circles {
            let known = members.iter().map(|one| self.known(one)).collect::<Result<Vec<_>>>()?;
            let told: Vec<report::Late<'_>> = members
                .iter()
                .zip(&known)
                .map(|(one, known)| report::Late {
                    profile: &one.profile,
                    due: one.due,
                    after: one.after,
                    last_run: known.0,
                    last_success: known.1,
                    why: one.why.as_deref(),
                    told: one.told,
                    next: view(&one.profile).and_then(|view| view.next),
                })
                .collect();
            let mut one = self.write(What::Overdue(&told), "overdue", rules)?;
            one.letter.profile = members.first().map(|late| late.profile.clone());
            written.push(one);
        }
        let letters: Vec<_> = written.iter().map(|one| (one.id, one.report(), one.letter.clone())).collect();
        self.with_room(|| self.state.memories().tell_late(&letters, late, now))
    }

    /// The last run of a late profile, and its last success.
    #[allow(clippy::type_complexity)]
    fn known(&self, late: &Late) -> Result<(Option<(Timestamp, crate::run::Status)>, Option<Timestamp>)> {
        let history = self.state.history();
        let newest = history.runs(&Query { profile: Some(&late.profile), limit: 1, before: None })?.pop();
        let Some(newest) = newest else { return Ok((None, None)) };
        let success = match newest.status.is_success() {
            true => newest.ended,
            false => history.last_success(&late.profile, newest.id)?.and_then(|row| row.ended),
        };
        Ok((newest.ended.map(|ended| (ended, newest.status)), success))
    }

    /// Tells of problems of the configuration: when they are others than those that were told last, on their third day,
    /// and then every week. `kept` are the profiles that go on with their last good version, `stopped` those that do not
    /// run. Whether a letter was written.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub fn tell_problems(&self, problems: &[String], kept: &[String], stopped: &[String]) -> Result<bool> {
        let memories = self.state.memories();
        let now = self.now();
        let known = memories.setting(Setting::ToldProblems)?.as_deref().and_then(Told::parse);
        if problems.is_empty() {
            if known.is_some() {
                memories.set(Setting::ToldProblems, "")?;
            }
            return Ok(false);
        }
        let text = [problems.join("\n"), stopped.join(" ")].join("\n");
        let mark = blake3::hash(text.as_bytes()).to_hex()[..32].to_owned();
        let since = match known.filter(|known| known.mark == mark) {
            Some(known) if !retell(known.since, known.told, now) => return Ok(false),
            Some(known) => known.since,
            None => now,
        };
        let written = self.write(What::Config { problems, kept, stopped }, "config", self.orphans)?;
        self.with_room(|| self.state.outbox().put(written.id, &written.report(), &written.letter, now))?;
        memories.set(Setting::ToldProblems, &Told { mark, since, told: now }.to_string())?;
        Ok(true)
    }

    /// Tells that a run does not react any more.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn tell_stuck(&self, profile: &str, run: RunId, started: Timestamp) -> Result<()> {
        let rules = self.rules(self.profiles.iter().find(|known| known.name == profile));
        let mut written = self.write(What::Stuck { profile, run, started }, "stuck", rules)?;
        written.letter.profile = Some(profile.to_owned());
        self.state.outbox().put(written.id, &written.report(), &written.letter, self.now())
    }

    fn write(&self, what: What<'_>, kind: &str, rules: &ReportRules) -> Result<Written> {
        let (install_id, zone) = (self.state.install_id()?, zone(rules));
        let id = super::new_id(self.now());
        let notice = Notice { id, now: self.now(), what, origin: self.origin(rules, &install_id, &zone) };
        let rendered = notice.render()?;
        let letter = self.letter(kind, &rendered, rules);
        Ok(Written { id, rendered, letter })
    }
}

/// What was told of the configuration.
struct Told {
    /// Stands for the problems.
    mark: String,
    since: Timestamp,
    told: Timestamp,
}

impl Told {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mark = words.next()?.to_owned();
        Some(Self { mark, since: words.next()?.parse().ok()?, told: words.next()?.parse().ok()? })
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.mark, self.since, self.told)
    }
}

/// Whether letters under both rules go to the same people by the same way.
fn same_readers(a: &ReportRules, b: &ReportRules) -> bool {
    let way = |rules: &ReportRules| {
        (rules.account.clone(), rules.to.clone(), rules.from.clone(), rules.webhook.clone())
    };
    way(a) == way(b) && a.time_zone == b.time_zone
}
