//! `postkeep pause` and `postkeep resume`: no runs by themselves, for a while.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::outlook::Outlook;
use super::{Context, out, usage, when};
use crate::clock::{Clock, System};
use crate::daemon::client;
use crate::daemon::protocol::Ask;
use crate::error::{Error, Result};
use crate::profile::{Wrong, read_duration};
use crate::scheduler::{Action, Memory, Pause, Save};
use crate::state::State;

/// Let nothing run by itself for a while: a profile, or all of them
///
/// Runs that a person asks for go on, and so does a run that is at work. Nothing counts as overdue meanwhile. At the
/// end of the pause one run makes good what was missed, unless the profile says `catch-up = "skip"`. `status`, `next` and
/// the digest tell of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep pause documents --for 2d
  postkeep pause                     all profiles, until `postkeep resume`")]
pub(crate) struct PauseArgs {
    /// The profile [default: all of them]
    profile: Option<String>,
    /// How long, such as 90m, 2d or 1w [default: until it is resumed]
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<String>,
}

/// Let things run by themselves again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep resume documents
  postkeep resume              what was paused for all

A profile that was paused by its name stays so until it is resumed by its name.")]
pub(crate) struct ResumeArgs {
    /// The profile [default: what was paused for all]
    profile: Option<String>,
}

pub(crate) fn pause(args: &PauseArgs, ctx: &Context) -> Result<ExitCode> {
    let now = System.now();
    let until = args.length.as_deref().map(|text| after(now, text)).transpose()?;
    let pause = Pause { since: now, until };
    let profile = args.profile.clone();
    change(ctx, &profile, Ask::Pause { profile: profile.clone(), until }, Some(pause))?;
    let (who, is) = match &profile {
        Some(name) => (name.as_str(), "is"),
        None => ("all profiles", "are"),
    };
    let until = match until {
        Some(until) => format!("until {}", when::full(until)),
        None => match &profile {
            Some(name) => format!("until `postkeep resume {name}`"),
            None => "until `postkeep resume`".into(),
        },
    };
    let value = json!({ "profile": profile, "paused": true, "until": pause.until });
    tell(ctx, &value, &[format!("{who} {is} paused {until}; `postkeep status` and the digest say so")])
}

pub(crate) fn resume(args: &ResumeArgs, ctx: &Context) -> Result<ExitCode> {
    let outlook = Outlook::look(ctx, args.profile.as_slice())?;
    let (now, memories) = (outlook.now, outlook.state.memories());
    let all = memories.paused()?.filter(|pause| pause.holds(now));
    let mut alone: Vec<String> = memories
        .all()?
        .into_iter()
        .filter(|(_, memory)| memory.paused.is_some_and(|pause| pause.holds(now)))
        .map(|(name, _)| name)
        .collect();
    let was = match &args.profile {
        Some(name) => alone.contains(name),
        None => all.is_some(),
    };
    if was {
        change(ctx, &args.profile, Ask::Resume(args.profile.clone()), None)?;
    }
    let mut lines = vec![match (&args.profile, was) {
        (Some(name), true) => format!("{name} runs by itself again"),
        (Some(name), false) => format!("{name} is not paused by its name"),
        (None, true) => "the profiles run by themselves again".into(),
        (None, false) => "the profiles are not paused all together".into(),
    }];
    match &args.profile {
        Some(_) => lines.extend(all.map(|pause| super::status::all_paused(pause, now))),
        None => {
            // Who is gone from the configuration runs in no case.
            alone.retain(|name| outlook.config.profiles.iter().any(|profile| profile.name == *name));
            lines.extend(alone.iter().map(|name| format!("{name} stays paused (postkeep resume {name})")));
        }
    }
    let value = json!({ "profile": args.profile, "paused": false, "was-paused": was });
    tell(ctx, &value, &lines)
}

/// The time so long after now.
fn after(now: Timestamp, text: &str) -> Result<Timestamp> {
    let length = read_duration(text).map_err(|Wrong { message, hint }| {
        let error = usage(format!("--for: {message}"));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    now.checked_add(length).map_err(|_| usage("--for: that is after the end of the calendar"))
}

/// How often an agent that is starting is asked again.
const STARTING: u32 = 100;

/// Through the agent if there is one, else in the state.
fn change(ctx: &Context, profile: &Option<String>, ask: Ask, pause: Option<Pause>) -> Result<()> {
    // Before anybody is asked: so that an unknown name is told with the nearest one that is known.
    let outlook = Outlook::look(ctx, profile.as_slice())?;
    let state = State::open(&ctx.state_dir)?;
    let mut tries = 0;
    // An agent that is just starting has read what is kept, and does not listen yet. While the lock is ours none starts.
    let _lock = loop {
        if client::ask(&ctx.state_dir, ask.clone())?.is_some() {
            return Ok(());
        }
        if let Some(lock) = state.locks().agent()? {
            break lock;
        }
        tries += 1;
        if tries > STARTING {
            return Err(Error::other("an agent is starting, and does not listen yet").hint("try again"));
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let memories = state.memories();
    let Some(name) = profile else { return memories.pause(pause) };
    // Of a new profile, and of one with another rhythm, what an agent would keep is kept along with it.
    let unkept =
        outlook.unkept.iter().any(|action| matches!(action, Action::Save(save) if save.profile == *name));
    let known = outlook.scheduler.memory(name).cloned();
    let (memory, served) = match (known, memories.get(name)?) {
        (Some(memory), _) => (memory, unkept),
        // Its file is broken: nothing is known of its rhythm.
        (None, Some(memory)) => (memory, false),
        (None, None) => (Memory::new(outlook.now, String::new()), true),
    };
    memories.save(&Save { profile: name.clone(), memory: Memory { paused: pause, ..memory }, served })
}

fn tell(ctx: &Context, value: &serde_json::Value, lines: &[String]) -> Result<ExitCode> {
    if ctx.json {
        out::print(&format!("{value}\n"))?;
    } else if !ctx.quiet {
        lines.iter().for_each(|line| out::say(line));
    }
    Ok::<_, Error>(ExitCode::SUCCESS)
}
