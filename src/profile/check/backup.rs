//! A backup against the disk.

use std::path::Path;

use super::super::problem::show_file;
use super::super::wrong::Wrong;
use super::super::{BackupJob, Config};
use super::vault::{self, Source};
use super::{Disk, Seen, Told, is_excluded, real};

/// Checks one backup.
pub(super) fn check(job: &BackupJob, config: &Config, disk: &Disk, told: &mut Told) {
    let sources: Vec<_> = job.sources.iter().map(|source| (source, real(source, disk.look))).collect();
    for (index, (source, path)) in sources.iter().enumerate() {
        there(source, disk, told);
        apart(source, path, &sources[..index], told);
    }
    let excluded = |below: &Path, folder: bool| is_excluded(&job.filter, below, folder);
    vault::check(&job.keeping, &sources, &excluded, config, disk, told);
}

pub(super) fn there(source: &Path, disk: &Disk, told: &mut Told) {
    let shown = show_file(source);
    match (disk.look)(source) {
        Seen::Missing => {
            let wrong = Wrong::new(format!("the source {shown} does not exist now"));
            told.warning("source", wrong.hint("a run without it ends with a failure"));
        }
        Seen::Unknown => {
            let wrong = Wrong::new(format!("the source {shown} cannot be looked at now"));
            told.warning("source", wrong.hint("may its folder be read, and is its disk awake?"));
        }
        Seen::Folder(_) | Seen::Other(_) => {}
    }
}

/// No file is saved twice in one snapshot.
pub(super) fn apart(source: &Path, path: &Path, others: &[Source<'_>], told: &mut Told) {
    for (other, other_path) in others {
        let (shown, other) = (show_file(source), show_file(other));
        let wrong = if path == other_path {
            Wrong::new(format!("the source {shown} is named twice")).hint("leave one out")
        } else if path.starts_with(other_path) {
            Wrong::new(format!("the source {shown} lies inside the source {other}"))
                .hint(format!("leave {shown} out: {other} has it"))
        } else if other_path.starts_with(path) {
            Wrong::new(format!("the source {other} lies inside the source {shown}"))
                .hint(format!("leave {other} out: {shown} has it"))
        } else {
            continue;
        };
        return told.error("source", wrong);
    }
}

#[cfg(test)]
mod tests;
