//! `postkeep vault repair`: an index that names what is there.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::agent;
use crate::cli::which::{BARE, Chosen, Which, too_many};
use crate::cli::{Context, out};
use crate::error::Result;
use crate::figures::of;
use crate::vault::repair::Repaired;

/// Repair the index of a vault in which something was lost
///
/// Packs that are gone or cut off are taken out of the index, and those that it does not name are put into it. The next
/// run then stores anew what the sources still have. A pack that is there but damaged has to be moved away first: verify
/// names it. Nothing is removed but parts of the index that cannot be read. Nobody else may use the vault while this
/// works.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep vault repair [OPTIONS] [PROFILE]", after_help = format!("\
Examples:
  postkeep vault repair documents && postkeep run documents
  postkeep verify documents                                    and look what is still lost

{BARE}

Exit codes: 0 done, 3 a pack could not be read, 1 it failed, 2 usage, 10 no vault, 11 locked, 12 wrong password."))]
pub(super) struct RepairArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &RepairArgs, ctx: &Context) -> Result<ExitCode> {
    args.which.with(&args.words, ctx, |chosen, words| repaired(ctx, chosen, words))
}

fn repaired(ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 0)?;
    let repaired = chosen.open()?.repair()?;
    // Of an archive a run would believe that all of it is there.
    agent::lost_in(&ctx.state_dir, &chosen.place)?;
    if ctx.json {
        out::print(&format!("{}\n", as_json(&repaired)))?;
    } else if !ctx.quiet {
        let name = chosen.profile.as_ref().map(|(name, _)| name.as_str());
        out::print(&text(&repaired, name))?;
    }
    let Some(error) = &repaired.unread else { return Ok(ExitCode::SUCCESS) };
    out::warn(&format!("warning: a pack could not be read: {}", error.one_line()));
    out::warn("  hint: if that passes, do this again: what is in the pack is found then");
    Ok(ExitCode::from(3))
}

fn text(repaired: &Repaired, profile: Option<&str>) -> String {
    let Repaired { removed, lost, found, .. } = repaired;
    let mut text = String::new();
    let mut line = |line: String| text.push_str(&format!("{line}\n"));
    if *removed > 0 {
        line(format!(
            "{} removed that could not be read",
            of(*removed, "part of the index", "parts of the index")
        ));
    }
    for id in lost {
        line(format!("lost: pack {id}"));
    }
    if *found > 0 {
        line(format!("{} found that the index did not name", of(*found, "pack", "packs")));
    }
    if *removed == 0 && lost.is_empty() && *found == 0 {
        line("the index names what is there: nothing to repair".into());
    }
    if !lost.is_empty() {
        let run =
            profile.map_or("the next run".to_owned(), |name| format!("now: postkeep run {name}, which"));
        line(format!("{run} stores anew what the sources still have"));
    }
    text
}

fn as_json(repaired: &Repaired) -> serde_json::Value {
    json!({
        "removed-indexes": repaired.removed,
        "lost-packs": repaired.lost.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "found-packs": repaired.found,
        "unread": repaired.unread.as_ref().map(crate::error::Error::one_line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::store::Id;

    #[test]
    fn what_was_repaired_is_told_with_what_to_do_next() {
        let lost = Repaired { removed: 1, lost: vec![Id([10; 32])], found: 2, unread: None };
        for (repaired, name, parts) in [
            (&Repaired::default(), None, vec!["nothing to repair"]),
            (
                &lost,
                Some("documents"),
                vec!["1 part of the index", "lost: pack 0a0a", "2 packs found", "postkeep run documents"],
            ),
        ] {
            let told = text(repaired, name);
            for part in parts {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
    }
}
