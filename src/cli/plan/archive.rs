//! The plan of an archive: how many messages there are, by folder, and how many are archived.

use std::io::Write;

use serde_json::json;

use super::super::progress::Shown;
use super::super::{Context, out};
use crate::agent;
use crate::archive::run::{Preview, Seen};
use crate::clock::System;
use crate::entry::show as shown;
use crate::error::Result;
use crate::figures::{count, of};
use crate::profile::{ArchiveJob, Config, Profile};
use crate::progress::{Event, Listener, Meter};

/// Shows it, and says its exit code.
pub(super) fn show(profile: &Profile, job: &ArchiveJob, config: &Config, ctx: &Context) -> Result<u8> {
    let progress = Shown::new(ctx);
    progress.event(&Event::Started { profile: profile.name.clone() });
    let preview =
        agent::preview_archive(&ctx.state_dir, config, profile, job, &System, &Meter::default(), &progress);
    progress.clear();
    let preview = preview?;
    if ctx.json {
        out::print(&format!("{}\n", as_json(profile, &preview)))?;
    } else {
        out::write(|to| print(to, profile, &preview))?;
    }
    Ok(0)
}

fn print(to: &mut dyn Write, profile: &Profile, preview: &Preview) -> std::io::Result<()> {
    writeln!(to, "{:>10}  {:>14}  folder", "there now", "in the archive")?;
    for Seen { source, folder, messages, archived } in &preview.folders {
        let folder = shown(folder.as_bytes());
        writeln!(to, "{:>10}  {:>14}  {source}  {folder}", count(*messages), count(*archived))?;
    }
    for (source, unmatched) in preview.unmatched.iter().filter(|(_, unmatched)| !unmatched.excludes) {
        writeln!(to, "no folder of {source} matches {}", unmatched.pattern)?;
    }
    let messages: u64 = preview.folders.iter().map(|one| one.messages).sum();
    let archived: u64 = preview.folders.iter().map(|one| one.archived).sum();
    writeln!(
        to,
        "{}: {} there now in {}; {} in the archive, those that went away since among them",
        profile.name,
        of(messages, "message", "messages"),
        of(preview.folders.len() as u64, "folder", "folders"),
        count(archived)
    )
}

fn as_json(profile: &Profile, preview: &Preview) -> serde_json::Value {
    let folder = |one: &Seen| {
        json!({ "source": one.source.to_string(), "folder": one.folder, "messages": one.messages,
                "archived": one.archived })
    };
    let unmatched = preview.unmatched.iter().filter(|(_, unmatched)| !unmatched.excludes);
    json!({
        "profile": profile.name,
        "folders": preview.folders.iter().map(folder).collect::<Vec<_>>(),
        "unmatched": unmatched.map(|(_, one)| one.pattern.clone()).collect::<Vec<_>>(),
    })
}
