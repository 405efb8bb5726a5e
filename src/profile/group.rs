//! Groups: profiles that run one after the other, and may have a schedule in common.

use std::collections::BTreeMap;

use super::problem::Problem;
use super::read::Sheet;
use super::wrong::{Wrong, nearest, quote};
use super::{Group, MAIN_FILE, Profile, Rhythm, is_name, meant};

/// The groups of the main file; what is wrong with them alone is added to its problems.
pub(super) fn groups(main: &mut Sheet) -> BTreeMap<String, Group> {
    let named = main.tables.iter().filter_map(|(path, place)| match path.as_slice() {
        [table, name] if table == "groups" => Some((name.clone(), place.clone())),
        _ => None,
    });
    let mut groups = BTreeMap::new();
    for (name, place) in named.collect::<Vec<_>>() {
        let Some(group) = main.table(&["groups", &name]).map(meant::group) else { continue };
        let wrong = if !is_name(&name) {
            Wrong::new(format!("{} cannot be the name of a group", quote(&name)))
                .hint("small letters, digits, dots, - and _, at most 64 of them")
        } else if group.profiles.is_empty() {
            Wrong::new(format!("the group {} has no profiles", quote(&name)))
                .hint("profiles = [\"documents\", \"photos\"]")
        } else {
            groups.insert(name, group);
            continue;
        };
        main.problems.push(Problem::at(MAIN_FILE, place, wrong));
    }
    groups
}

/// Lays the groups' schedules and order upon the profiles; what does not go together is told. `names` are those of
/// all profiles, sound or not.
pub(super) fn apply(
    groups: &BTreeMap<String, Group>,
    names: &[String],
    profiles: &mut [Profile],
    main: &Sheet,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut scheduled: BTreeMap<&str, &str> = BTreeMap::new();
    let mut zones: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (name, group) in groups {
        let place = main.tables.get(["groups".to_owned(), name.clone()].as_slice());
        let mut wrong = |wrong: Wrong| {
            problems.push(match place {
                Some(place) => Problem::at(MAIN_FILE, place.clone(), wrong),
                None => Problem::of_file(MAIN_FILE, wrong),
            });
        };
        if names.contains(name) {
            wrong(
                Wrong::new(format!("the group {} has the name of a profile", quote(name)))
                    .hint("give it another name: `postkeep run` takes both"),
            );
        }
        for (at, member) in group.profiles.iter().enumerate() {
            if !names.contains(member) {
                let unknown = Wrong::new(format!("there is no profile {}", quote(member)));
                wrong(match nearest(member, names.iter().map(String::as_str)) {
                    Some(near) => unknown.hint(format!("did you mean {}?", quote(near))),
                    None => unknown.hint("a group names profiles, not groups"),
                });
                continue;
            }
            let earlier = &group.profiles[..at];
            if earlier.contains(member) {
                wrong(Wrong::new(format!("the group {} names {} twice", quote(name), quote(member))));
                continue;
            }
            let Some(schedule) = &group.schedule else { continue };
            if let Some(other) = scheduled.insert(member, name) {
                wrong(
                    Wrong::new(format!(
                        "{} is in two groups with a schedule: {other}, {name}",
                        quote(member)
                    ))
                    .hint("which of its neighbours goes first could not be told; take it out of one"),
                );
                continue;
            }
            let Some(profile) = profiles.iter_mut().find(|profile| profile.name == *member) else { continue };
            let zone = zones.entry(name).or_insert_with(|| profile.timing.zone.clone());
            if *zone != profile.timing.zone {
                wrong(
                    Wrong::new(format!(
                        "the profiles of the group {} have different time zones",
                        quote(name)
                    ))
                    .hint("its schedule would be another time for each; give all the same time-zone"),
                );
                continue;
            }
            profile.timing.after = earlier.to_vec();
            let settles = profile.timing.settle().is_some();
            match &mut profile.timing.rhythm {
                Rhythm::Schedule(own) => *own = own.clone().and(schedule),
                rhythm @ Rhythm::None => *rhythm = Rhythm::Schedule(schedule.clone()),
                // What a change brings about goes on besides.
                rhythm @ Rhythm::Every(_) if settles => {
                    *rhythm = Rhythm::Schedule(schedule.clone());
                }
                Rhythm::Every(_) => wrong(
                    Wrong::new(format!("{} has `every`, and its group {name} a schedule", quote(member)))
                        .hint("take one of the two away"),
                ),
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::load::tests::{files, rendered};
    use super::*;

    const PLAIN: &str = "kind = 'sync'\nsource = '/s'\nmode = 'copy'\n";

    fn with(main: &str, more: &str) -> super::super::Loaded {
        let a = format!("{PLAIN}target = '/a'\n{more}");
        let b = format!("{PLAIN}target = '/b'\nschedule = '@daily'\n");
        files(&[(MAIN_FILE, main), ("a", &a), ("b", &b)])
    }

    #[test]
    fn members_get_the_schedule_and_their_place() {
        let loaded = with("[groups.night]\nprofiles = ['a', 'b']\nschedule = '30 3 * * *'\n", "");
        assert_eq!(rendered(&loaded), "");
        let [a, b] = loaded.config.profiles.as_slice() else { panic!() };
        assert_eq!(
            a.timing.rhythm,
            Rhythm::Schedule(super::super::Schedule::parse(&["30 3 * * *".into()]).unwrap())
        );
        assert_eq!(b.timing.after, ["a"]);
        let Rhythm::Schedule(both) = &b.timing.rhythm else { panic!() };
        assert_eq!(both.lines().collect::<Vec<_>>(), ["@daily", "30 3 * * *"]);
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let night = "schedule = '@daily'\n";
        for (main, more, said) in [
            ("[groups.night]\n".to_owned(), "", "has no profiles"),
            ("[groups.Night]\nprofiles = 'a'\n".into(), "", "cannot be the name of a group"),
            ("[groups.b]\nprofiles = 'a'\n".into(), "", "has the name of a profile"),
            ("[groups.n]\nprofiles = ['a', 'bb']\n".into(), "", "there is no profile \"bb\""),
            ("[groups.n]\nprofiles = ['a', 'a']\n".into(), "", "twice"),
            (format!("[groups.n]\nprofiles = 'a'\n{night}"), "every = '1h'", "take one of the two away"),
            (
                format!("[groups.n]\nprofiles = 'a'\n{night}[groups.m]\nprofiles = 'a'\n{night}"),
                "",
                "in two groups with a schedule",
            ),
            ("[groups.n]\nprofiles = 'a'\nschedule = '* * *'\n".into(), "", "3 fields"),
            (
                format!("[groups.n]\nprofiles = ['a', 'b']\n{night}"),
                "time-zone = 'UTC'",
                "different time zones",
            ),
        ] {
            let loaded = with(&main, more);
            assert!(rendered(&loaded).contains(said), "{main}: {}", rendered(&loaded));
            assert!(loaded.config.profiles.is_empty(), "{main}");
        }
    }
}
