//! A sync against the disk, and syncs against each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::problem::show_file;
use super::super::wrong::Wrong;
use super::super::{Mode, Profile, SyncJob};
use super::{Disk, Seen, Tell, Told, exclude, is_excluded, real};

/// Who writes each target: by its path without links, the profiles with the path as written.
pub(super) type Targets<'a> = BTreeMap<PathBuf, Vec<(&'a Profile, PathBuf)>>;

/// Checks one sync. Returns its target without links.
pub(super) fn check(job: &SyncJob, disk: &Disk, told: &mut Told) -> PathBuf {
    let source = real(&job.source, disk.look);
    let target = real(&job.target, disk.look);
    there(job, disk.look, told);
    within(job, &source, &target, told);
    ours(job, &target, &disk.own, told);
    target
}

/// Two that write one target, or one into that of the other.
pub(super) fn between<'a>(targets: &Targets<'a>, tell: Tell<'_, 'a>) {
    for (target, writers) in targets {
        // The first of several writers of one target is as good as the others: each hears of one it collides with.
        let above = target.ancestors().skip(1).find_map(|folder| Some((folder, targets.get(folder)?)));
        for (index, (profile, written)) in writers.iter().enumerate() {
            let other = match (index, above) {
                (1.., _) => Some((writers[0].0, "is written by the profile")),
                (0, Some((_, others))) => Some((others[0].0, "lies in the target of the profile")),
                (0, None) => None,
            };
            let Some((other, how)) = other else { continue };
            let wrong = Wrong::new(format!("the target {} {how} \"{}\" too", show_file(written), other.name))
                .hint("give each profile a target folder of its own: a mirror deletes what others put there");
            tell(profile, "target", wrong, other);
        }
    }
}

fn there(job: &SyncJob, look: &dyn Fn(&Path) -> Seen, told: &mut Told) {
    let shown = show_file(&job.source);
    match look(&job.source) {
        Seen::Missing => told.warning("source", Wrong::new(format!("the source {shown} does not exist now"))),
        Seen::Other(_) => told.warning("source", Wrong::new(format!("the source {shown} is not a folder"))),
        Seen::Folder(_) | Seen::Unknown => {}
    }
    let shown = show_file(&job.target);
    let parent = job.target.parent().map(look);
    match look(&job.target) {
        Seen::Other(_) => told.warning("target", Wrong::new(format!("the target {shown} is not a folder"))),
        Seen::Missing if parent == Some(Seen::Missing) => {
            let wrong = Wrong::new(format!(
                "neither the target {shown} nor the folder that it would be made in exists now"
            ));
            told.warning("target", wrong.hint("is its disk mounted?"));
        }
        Seen::Missing if !job.create_target => {
            let wrong = Wrong::new(format!("the target {shown} does not exist now"));
            told.warning("target", wrong.hint("is its disk mounted? (create-target is false)"));
        }
        Seen::Missing | Seen::Folder(_) | Seen::Unknown => {}
    }
}

fn within(job: &SyncJob, source: &Path, target: &Path, told: &mut Told) {
    if source == target {
        let wrong = Wrong::new(format!("source and target are the same folder, {}", show_file(source)));
        told.error("target", wrong);
    } else if let Ok(below) = target.strip_prefix(source) {
        if !is_excluded(&job.filter, below, true) {
            let wrong = Wrong::new(format!("the target {} lies inside the source", show_file(&job.target)))
                .hint(format!("choose another target, or leave it out: {}", exclude(below)));
            told.error("target", wrong);
        }
    } else if source.starts_with(target) {
        let wrong = Wrong::new(format!("the source {} lies inside the target", show_file(&job.source)))
            .hint("choose a target of its own, such as a new folder in it");
        told.error("target", wrong);
    }
}

/// Nothing may be written into our own folders, and no mirror may delete them.
fn ours(job: &SyncJob, target: &Path, own: &[(String, PathBuf)], told: &mut Told) {
    for (name, folder) in own {
        let shown = show_file(folder);
        if target.starts_with(folder) {
            let wrong = Wrong::new(format!("the target lies inside postkeep's {name} folder, {shown}"));
            told.error("target", wrong.hint("choose another target"));
        } else if folder.starts_with(target) && job.mode == Mode::Mirror {
            let wrong =
                Wrong::new(format!("postkeep's {name} folder, {shown}, lies inside the target of a mirror"));
            told.error("target", wrong.hint("a mirror would delete it; choose another target"));
        }
    }
}
