//! `postkeep run`: runs profiles now.

mod summary;
mod via;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use self::summary::summary;
use super::deliveries::Deliveries;
use super::progress::Shown;
use super::{Context, config, out, plan, table, usage};
use crate::agent::{self, Agent, Delivery, Order, Ran};
use crate::clock::System;
use crate::error::{Error, Kind, Result};
use crate::figures::count;
use crate::profile::{Problem, Profile, Severity};
use crate::progress::Meter;
use crate::run::{Run, Status, Trigger};

/// Run profiles now, one after the other, and deliver their reports
///
/// Without a name the profiles are listed and nothing runs. A group stands for its profiles, in its order. The report of each run goes where the profile says; with
/// no account set it lands in the folder mail/ of the state folder, a Maildir. Its path is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep run documents               run one profile
  postkeep run --all                   run all of them, one after the other
  postkeep run night                   run the profiles of the group night
  postkeep run documents --via-agent   let the agent run it, and wait for the end
  postkeep run documents -n            show what it would do, and do nothing
  postkeep run documents --approve 3f9a0c12de
                                       run the plan that a brake stopped, if it is still the same

Brakes stop a run before it changes anything: the source is empty, a folder is on another disk than last time, \
too much would be deleted, or the target has too little room. Look at the plan, then approve it or put things right.

Exit codes: 0 all went well, 3 with warnings or a report that waits, 1 something failed, 4 stopped by a brake, \
11 the profile or one of its folders is in use, 130 stopped by Ctrl-C, 2 a mistake on the command line. \
The worst of several counts.")]
pub(crate) struct RunArgs {
    /// The profiles to run, or groups of them
    #[arg(value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Run all profiles, in the order of their names
    #[arg(long, conflicts_with = "profiles")]
    all: bool,
    /// Show what would be done, as `postkeep plan` does
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Run exactly the plan that a brake stopped; the token was printed then, and is in the report
    #[arg(long, value_name = "TOKEN", conflicts_with = "all")]
    approve: Option<String>,
    /// Let the agent run them, in its turn, and wait until they have ended
    #[arg(long, conflicts_with_all = ["dry_run", "approve"])]
    via_agent: bool,
    /// With --via-agent: do not wait
    #[arg(long, requires = "via_agent")]
    no_wait: bool,
}

pub(crate) fn run(args: &RunArgs, ctx: &Context) -> Result<ExitCode> {
    if args.profiles.is_empty() && !args.all {
        return list(ctx);
    }
    let one_token = || usage("--approve goes with one profile").hint("each plan has a token of its own");
    if args.approve.is_some() && args.profiles.len() != 1 {
        return Err(one_token());
    }
    let (profiles, config, broken) = config::load_to_run(ctx, &args.profiles)?;
    // A group may be several.
    if args.approve.is_some() && profiles.len() + broken.len() != 1 {
        return Err(one_token());
    }
    if profiles.is_empty() && broken.is_empty() {
        return Err(usage(format!("there are no profiles in {}", ctx.config_dir.display()))
            .hint("`postkeep init` makes the first")
            .hint("if there should be some: look whether --config names the right folder"));
    }
    let mut session = Session { ctx, worst: Worst::default(), runs: Vec::new() };
    // A profile that cannot be read does not stop the others, but a run of all is then not a run of all.
    tell_broken(&broken, &mut session.worst);
    if args.dry_run {
        return plan::show(&profiles, &config, session.worst, ctx);
    }
    if args.via_agent {
        return via::run(&profiles, args.no_wait, session);
    }
    let meter = Arc::new(Meter::default());
    super::signals::cancel(&meter)?;
    let agent = match Agent::open(&ctx.state_dir, &config, &System) {
        Ok(agent) => agent,
        Err(_) => {
            for profile in &profiles {
                // The first error was of the same kind; each report needs one of its own.
                let Err(error) = Agent::open(&ctx.state_dir, &config, &System) else { continue };
                let error = agent::tell_without_state(&ctx.state_dir, &config, &System, profile, error);
                session.refused(profile, &error);
            }
            session.worst.note(1);
            return session.finish();
        }
    };
    for run in agent.notice_interrupted()? {
        session.interrupted(&run);
    }
    let order = Order { approve: args.approve.as_deref(), ..Order::default() };
    for profile in &profiles {
        if meter.is_cancelled() {
            session.worst.note(130);
            break;
        }
        session.one(&agent, profile, &order, &meter);
    }
    // Nobody else delivers what an earlier run could not.
    match agent.deliver(true) {
        Ok(deliveries) => session.delivered(&deliveries),
        Err(error) => session.undelivered(&error),
    }
    session.finish()
}

fn list(ctx: &Context) -> Result<ExitCode> {
    let (config, _) = config::load_some(ctx, &[])?;
    if ctx.json {
        let names: Vec<_> = config.profiles.iter().map(|profile| &profile.name).collect();
        out::print(&format!("{}\n", json!({ "profiles": names })))?;
        return Ok(ExitCode::from(2));
    }
    out::warn("postkeep: which profile? Name one or more, or use --all:\n");
    let row = |profile: &Profile| {
        let job = &profile.job;
        let folders = format!("{} -> {}", job.shown_sources(), job.shown_targets());
        vec![format!("  {}", profile.name), job.word().to_owned(), folders]
    };
    let rows: Vec<_> = config.profiles.iter().map(row).collect();
    if rows.is_empty() {
        out::warn("  (none yet: `postkeep init` makes the first)");
    } else {
        out::warn(table::table(&rows).trim_end());
    }
    Ok(ExitCode::from(2))
}

/// Tells what keeps profiles from running that were to run with others.
pub(super) fn tell_broken(problems: &[Problem], worst: &mut Worst) {
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        out::warn(&problem.render(false));
        worst.note(1);
    }
}

/// The worst exit code so far.
#[derive(Default)]
pub(super) struct Worst(u8);

impl Worst {
    pub(super) fn note(&mut self, code: u8) {
        // From harmless to bad; a code that is not listed is as bad as a failure.
        const ORDER: [u8; 6] = [0, 3, 130, 11, 4, 1];
        let rank = |code: u8| ORDER.iter().position(|known| *known == code).unwrap_or(ORDER.len());
        if rank(code) > rank(self.0) {
            self.0 = code;
        }
    }

    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.0)
    }
}

/// What is told while the profiles run.
struct Session<'a> {
    ctx: &'a Context,
    worst: Worst,
    runs: Vec<serde_json::Value>,
}

impl Session<'_> {
    fn one(&mut self, agent: &Agent<'_>, profile: &Profile, order: &Order<'_>, meter: &Meter) {
        let shown = Shown::new(self.ctx);
        // Counters are of one run: the next starts at nothing, but hears the same wish to stop.
        meter.reset();
        let result = agent.run(profile, Trigger::Manual, order, meter, &shown);
        shown.clear();
        match result {
            Ok(Ran { run, .. }) => {
                self.ended(&run, profile);
                if let Err(error) = agent.ping_end(profile, &run) {
                    out::warn(&format!("{}: {}", profile.name, error.one_line()));
                }
            }
            Err(error) => self.refused(profile, &error),
        }
    }

    fn ended(&mut self, run: &Run, profile: &Profile) {
        let status = run.outcome.status;
        self.worst.note(status.exit_code());
        if self.ctx.json {
            self.runs.push(json!({ "run": run }));
            return;
        }
        if self.ctx.quiet && status.exit_code() == 0 {
            return;
        }
        let word = table::status(status, self.ctx.color());
        out::say(&format!("{}: {word}, {}", profile.name, summary(run)));
        let outcome = &run.outcome;
        if let Some(error) = &outcome.error {
            out::say(&format!("  {}", error.text));
            error.hints.iter().for_each(|hint| out::say(&format!("  hint: {hint}")));
        }
        if let Some(stop) = &outcome.stop {
            out::say(&format!("  {}", stop.reason));
            out::say(&format!("  hint: {}", stop.hint));
            if let Some(token) = &stop.token {
                out::say(&format!("  to see the plan: postkeep plan {}", profile.name));
                out::say(&format!("  to approve it:   postkeep run {} --approve {token}", profile.name));
            }
        }
        if let (Status::Paused, Some(paused)) = (status, &outcome.paused) {
            let until = table::when(paused.until);
            out::say(&format!("  {}", paused.reason));
            out::say(&format!(
                "  hint: from {until} on the agent goes on from there; without an agent: postkeep run {}",
                profile.name
            ));
        }
        for failure in outcome.failures.iter().take(5) {
            out::say(&format!("  {}: {}", table::path(&failure.path), failure.cause));
        }
        let more = (outcome.errors + outcome.warnings).saturating_sub(5);
        if more > 0 {
            out::say(&format!("  and {} more: postkeep report {}", count(more), table::short(run.id)));
        }
        outcome.notes.iter().for_each(|note| out::say(&format!("  note: {note}")));
    }

    fn refused(&mut self, profile: &Profile, error: &Error) {
        self.worst.note(error.exit_code());
        if self.ctx.json {
            self.runs
                .push(json!({ "profile": profile.name, "error": error.one_line(), "hints": error.hints() }));
            return;
        }
        // Other errors may come after the work, when it cannot be recorded.
        let word = if error.kind() == Kind::Locked { "did not run: " } else { "" };
        out::warn(&format!("{}: {word}{}", profile.name, error.one_line()));
        error.hints().iter().for_each(|hint| out::warn(&format!("  hint: {hint}")));
    }

    fn interrupted(&mut self, run: &Run) {
        if self.ctx.json {
            self.runs.push(json!({ "run": run }));
        } else {
            out::warn(&format!(
                "{}: the run of {} ended without a word (killed, or the power failed); it is reported now",
                run.profile,
                table::when(run.started)
            ));
        }
    }

    fn delivered(&mut self, deliveries: &[Delivery]) {
        let mut told = Deliveries::default();
        told.tell(deliveries, self.ctx);
        self.runs.append(&mut told.json);
        if told.incomplete {
            self.worst.note(3);
        }
    }

    /// The runs are recorded, and their letters wait or were delivered; only that could not be written down.
    fn undelivered(&mut self, error: &Error) {
        self.worst.note(1);
        out::warn(&format!(
            "the runs are recorded, but their reports could not be delivered: {}",
            error.one_line()
        ));
        error.hints().iter().for_each(|hint| out::warn(&format!("  hint: {hint}")));
    }

    fn finish(self) -> Result<ExitCode> {
        if self.ctx.json {
            out::print(&format!("{}\n", serde_json::Value::Array(self.runs)))?;
        }
        Ok(self.worst.code())
    }
}
