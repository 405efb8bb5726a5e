//! What a backup would save, and how long that takes.

use std::io::Write;

use serde_json::json;

use super::super::progress::Shown;
use super::super::{Context, out, table};
use crate::agent;
use crate::backup::{Preview, days};
use crate::clock::System;
use crate::error::Result;
use crate::figures::{count, of, size};
use crate::profile::{BackupJob, Config, Profile, VaultPlace, show_size};
use crate::progress::{Event, Listener, Meter};

/// Shows what a backup would save, and says the exit code.
pub(super) fn show(profile: &Profile, job: &BackupJob, config: &Config, ctx: &Context) -> Result<u8> {
    let shown = Shown::new(ctx);
    shown.event(&Event::Started { profile: profile.name.clone() });
    let (state, meter) = (&ctx.state_dir, Meter::default());
    let preview = agent::preview_backup(state, config, profile, job, &System, &meter, &shown);
    shown.clear();
    let preview = preview?;
    if ctx.json {
        out::print(&format!("{}\n", as_json(profile, job, &preview)))?;
    } else {
        out::write(|out| print(out, profile, job, &preview))?;
    }
    Ok(u8::from(preview.failures.errors > 0))
}

fn print(out: &mut dyn Write, profile: &Profile, job: &BackupJob, preview: &Preview) -> std::io::Result<()> {
    for failure in &preview.failures.list {
        writeln!(out, "{:<8}{:>11}  {}: {}", "cannot", "", table::path(&failure.path), failure.cause)?;
    }
    let estimate = &preview.estimate;
    writeln!(
        out,
        "{}: {} in {} and {}",
        profile.name,
        size(estimate.bytes),
        of(estimate.files, "file", "files"),
        of(estimate.folders, "folder", "folders")
    )?;
    for place in &job.keeping.vaults {
        let time = match preview.per_day.get(place) {
            Some(per_day) => format!(
                "; all of it would take {} at this provider's {} a day, less where it compresses",
                of(days(estimate.bytes, *per_day), "day", "days"),
                show_size(*per_day)
            ),
            None => String::new(),
        };
        writeln!(out, "  to {place}{time}")?;
    }
    if preview.failures.errors > 0 {
        writeln!(out, "{} cannot be read", count(preview.failures.errors))?;
    }
    Ok(())
}

fn as_json(profile: &Profile, job: &BackupJob, preview: &Preview) -> serde_json::Value {
    let estimate = &preview.estimate;
    let vault = |place: &VaultPlace| {
        let per_day = preview.per_day.get(place);
        json!({
            "vault": place.to_string(),
            "bytes-per-day": per_day,
            "days": per_day.map(|per_day| days(estimate.bytes, *per_day)),
        })
    };
    json!({
        "profile": profile.name,
        "files": estimate.files,
        "folders": estimate.folders,
        "bytes": estimate.bytes,
        "vaults": job.keeping.vaults.iter().map(vault).collect::<Vec<_>>(),
        "failures": preview.failures.list,
    })
}
