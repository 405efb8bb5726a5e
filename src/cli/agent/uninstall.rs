//! `postkeep agent uninstall`: stops the agent and removes its units.

use std::fs;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::place::{Place, PlaceArgs};
use crate::cli::{Context, out};
use crate::daemon::unit::{OVERDUE_SERVICE, OVERDUE_TIMER, SERVICE};
use crate::error::{Context as _, Error, Result};

/// Stop the agent and remove its units
///
/// Only files that `postkeep agent install` made are removed. The configuration, the state and your own additions to the
/// units (`systemctl edit`) stay.
#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn run(args: &UninstallArgs, ctx: &Context) -> Result<ExitCode> {
    let place = Place::new(&args.place)?;
    place.must_be_writable("uninstall")?;
    let mut there = Vec::new();
    for name in [OVERDUE_TIMER, OVERDUE_SERVICE, SERVICE] {
        if place.read_ours(name)?.is_some() {
            there.push(name);
        }
    }
    let started: Vec<_> = there.iter().copied().filter(|name| *name != OVERDUE_SERVICE).collect();
    let mut stopped = Ok(());
    if !started.is_empty() {
        stopped = place.call(&[&["disable", "--now"], started.as_slice()].concat());
    }
    let mut removed = Vec::new();
    for name in there {
        let path = place.folder.join(name);
        fs::remove_file(&path).context(|| format!("cannot remove {}", path.display()))?;
        removed.push(path.display().to_string());
    }
    if !removed.is_empty() {
        stopped = stopped.and_then(|()| place.call(&["daemon-reload"]));
    }
    let (config, state) = (ctx.config_dir.display(), ctx.state_dir.display());
    if ctx.json {
        out::print(&format!("{}\n", json!({ "removed": removed, "stopped": stopped.is_ok() })))?;
    } else if removed.is_empty() {
        out::print(&format!("No agent is installed in {}\n", place.folder.display()))?;
    } else if !ctx.quiet {
        let removed: String = removed.iter().map(|path| format!("  {path}\n")).collect();
        out::print(&format!(
            "Removed:\n{removed}Left as they are:\n  {config}\n  {state}\nNothing runs your profiles by itself any more.\n"
        ))?;
    }
    stopped.map(|()| ExitCode::SUCCESS).map_err(|error| {
        Error::other("the units are removed, but the agent may still run")
            .caused_by(error.one_line())
            .hint(format!("where systemd runs: {} stop postkeep", place.systemctl()))
    })
}
