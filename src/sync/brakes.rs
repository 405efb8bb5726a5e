//! Brakes: what a plan must not do unasked. Judged on the plan, before the first write. Pure.

use super::plan::{Plan, Side};
use crate::figures::{count, of, size};
use crate::profile::{Mode, SyncJob};
use crate::run::{RootMark, RootMarks, Stop};

/// Room that is left free on the target, in percent of what is written: folders, attributes and other programs.
const SPARE_PERCENT: u64 = 5;

/// Judges a plan. None: it may run. `marks` are those of the last run that went well. `approved` is a token that a
/// person gave: it releases exactly the plan that it was shown with.
pub fn judge(
    plan: &Plan,
    job: &SyncJob,
    marks: &RootMarks,
    profile: &str,
    approved: Option<&str>,
) -> Option<Stop> {
    let (reason, hint) = first(plan, job, marks)?;
    let token = plan.token(profile);
    if approved == Some(token.as_str()) {
        return None;
    }
    let hint = match approved {
        None => hint,
        Some(_) => {
            format!(
                "the token given is not this plan's: it is mistyped, or the folders changed since; {hint}"
            )
        }
    };
    Some(Stop { reason, hint, token: Some(token) })
}

/// The first brake that holds, as reason and hint.
fn first(plan: &Plan, job: &SyncJob, marks: &RootMarks) -> Option<(String, String)> {
    if job.check_roots {
        for (word, path, side, mark) in [
            ("source", &job.source, &plan.source, &marks.source),
            ("target", &job.target, &plan.target, &marks.target),
        ] {
            if let Some(mark) = mark.as_ref().filter(|mark| is_elsewhere(side, mark)) {
                let path = path.display();
                return Some((
                    format!(
                        "the {word} {path} is not the folder of the last run: it is on another file system"
                    ),
                    format!(
                        "look whether its disk is mounted (the last run saw {} there, now there are {}); \
                         for disks that take turns set check-roots = false",
                        of(mark.entries, "entry", "entries"),
                        count(side.entries)
                    ),
                ));
            }
        }
    }
    if let Some(stop) = empty(plan, job, marks) {
        return Some(stop);
    }
    let (deleted, all) = (plan.sums.deleted, plan.target.entries);
    let over = |percent: u64| u128::from(deleted) * 100 > u128::from(all) * u128::from(percent);
    if deleted > job.max_delete.entries && over(u64::from(job.max_delete.percent)) {
        let percent = deleted * 100 / all.max(1);
        return Some((
            format!(
                "it would delete {} of the target's {} entries ({percent} %)",
                count(deleted),
                count(all)
            ),
            "look at the plan; if it is meant, approve it, or raise max-delete in the profile".into(),
        ));
    }
    let free = plan.target.about.as_ref().and_then(|about| about.free_bytes)?;
    let needed = plan.sums.needed_bytes;
    let with_spare = needed.saturating_add(needed / 100 * SPARE_PERCENT);
    (with_spare > free).then(|| {
        (
            format!("the target has {} free and {} would be needed", size(free), size(with_spare)),
            "free some space on the target; approve it if you know that it will fit".into(),
        )
    })
}

/// A source that holds nothing, though it should.
fn empty(plan: &Plan, job: &SyncJob, marks: &RootMarks) -> Option<(String, String)> {
    if job.allow_empty_source || plan.source.entries > 0 {
        return None;
    }
    let before = marks.source.as_ref().map_or(0, |mark| mark.entries);
    let at_stake = if job.mode == Mode::Mirror { plan.target.entries } else { 0 };
    (before > 0 || at_stake > 0).then(|| {
        let seen = if before > 0 {
            format!("; the last run saw {} there", of(before, "entry", "entries"))
        } else {
            format!("; the target has {}", of(at_stake, "entry", "entries"))
        };
        (
            format!("the source {} is empty{seen}", job.source.display()),
            "look whether its disk is mounted; if it is meant to be empty, approve it, or set allow-empty-source"
                .into(),
        )
    })
}

/// Whether a root has moved to another file system. The file system's name alone proves nothing (some derive it from
/// a device number), nor does the inode (a folder may be made anew): both together do.
fn is_elsewhere(side: &Side, mark: &RootMark) -> bool {
    side.about.as_ref().is_some_and(|about| {
        !about.network && about.file_system != mark.file_system && side.inode != mark.inode
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{FilterRules, MaxDelete};
    use crate::replica::{About, Keeps};

    fn job() -> SyncJob {
        SyncJob {
            source: "/s".into(),
            target: "/t".into(),
            mode: Mode::Mirror,
            filter: FilterRules::default(),
            one_file_system: true,
            create_target: true,
            check_roots: true,
            keep_versions: None,
            max_delete: MaxDelete::default(),
            allow_empty_source: false,
            flush: true,
        }
    }

    fn side(file_system: &str, inode: u64, entries: u64) -> Side {
        let about = About {
            keeps: Keeps::default(),
            free_bytes: Some(1_000_000),
            file_system: file_system.into(),
            network: false,
        };
        Side { about: Some(about), inode, device: 1, entries }
    }

    fn plan(source: u64, target: u64, deleted: u64) -> Plan {
        let mut plan = Plan { source: side("a", 2, source), target: side("b", 2, target), ..Plan::default() };
        plan.sums.deleted = deleted;
        plan
    }

    fn marks(file_system: &str, inode: u64, entries: u64) -> RootMarks {
        let mark = RootMark { path: "/s".into(), file_system: file_system.into(), inode, entries };
        RootMarks { source: Some(mark), target: None }
    }

    #[test]
    fn each_brake_holds_past_its_limit_and_not_before() {
        let none = RootMarks::default();
        let copy = SyncJob { mode: Mode::Copy, ..job() };
        let emptied =
            SyncJob { allow_empty_source: true, max_delete: MaxDelete { percent: 100, entries: 0 }, ..job() };
        let strict = SyncJob { max_delete: MaxDelete { percent: 0, entries: 3 }, ..job() };
        let trusting = SyncJob { check_roots: false, ..job() };
        for (what, job, plan, marks, stops) in [
            ("nothing to fear", job(), plan(10, 10, 0), &none, None),
            ("many, but few percent", job(), plan(1000, 1000, 250), &none, None),
            ("many percent, but few", job(), plan(10, 60, 50), &none, None),
            ("too many", job(), plan(10, 203, 51), &none, Some("delete 51")),
            ("over a plain number", strict.clone(), plan(10, 1000, 4), &none, Some("delete 4")),
            ("at a plain number", strict, plan(10, 1000, 3), &none, None),
            ("empty source, mirror", job(), plan(0, 5, 5), &none, Some("is empty")),
            ("empty on both sides", job(), plan(0, 0, 0), &none, None),
            ("empty source, copy, first run", copy.clone(), plan(0, 5, 0), &none, None),
            ("empty source, copy, not the first", copy, plan(0, 5, 0), &marks("a", 2, 7), Some("saw 7")),
            ("empty source, allowed", emptied, plan(0, 5, 5), &none, None),
            ("unmounted", job(), plan(3, 3, 0), &marks("z", 9, 7), Some("another file system")),
            ("device renumbered", job(), plan(3, 3, 0), &marks("z", 2, 7), None),
            ("made anew", job(), plan(3, 3, 0), &marks("a", 9, 7), None),
            ("disks that take turns", trusting, plan(3, 3, 0), &marks("z", 9, 7), None),
        ] {
            let stop = judge(&plan, &job, marks, "p", None);
            match (stops, &stop) {
                (None, None) => {}
                (Some(words), Some(stop)) => assert!(stop.reason.contains(words), "{what}: {stop:?}"),
                _ => panic!("{what}: {stop:?}"),
            }
        }
    }

    #[test]
    fn a_full_target_stops_before_the_first_byte() {
        let mut full = plan(10, 10, 0);
        full.sums.needed_bytes = 960_000;
        assert!(judge(&full, &job(), &RootMarks::default(), "p", None).is_some());
        full.sums.needed_bytes = 950_000;
        assert_eq!(judge(&full, &job(), &RootMarks::default(), "p", None), None);
    }

    #[test]
    fn a_token_releases_its_own_plan_only() {
        let none = RootMarks::default();
        let stopped = plan(10, 100, 60);
        let token = judge(&stopped, &job(), &none, "p", None).unwrap().token.unwrap();
        assert_eq!(judge(&stopped, &job(), &none, "p", Some(&token)), None);
        let mut other = plan(10, 100, 61);
        other.digest.add(
            &crate::entry::RelPath::root(),
            &crate::replica::Seen {
                kind: crate::entry::Kind::File,
                id: (1, 1),
                size: 1,
                mtime: crate::entry::FileTime::default(),
            },
        );
        let again = judge(&other, &job(), &none, "p", Some(&token)).unwrap();
        assert!(again.hint.contains("not this plan's") && again.token.as_deref() != Some(token.as_str()));
        assert!(judge(&stopped, &job(), &none, "q", Some(&token)).is_some(), "another profile");
    }
}
