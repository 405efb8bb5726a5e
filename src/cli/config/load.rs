//! The configuration for a verb: read, checked, and refused only as far as it concerns what is to be done.

use super::render;
use crate::agent;
use crate::cli::{Context, out, usage};
use crate::error::{Error, Kind, Result};
use crate::profile::{self, Config, Loaded, Problem, Profile, Severity, nearest, quote};

/// The named profiles in the order named; or all sound ones where none is named, and what is wrong with the others.
///
/// A problem of the main file, or of a named profile, is printed to standard error and refuses; so does a name that
/// no profile has (a usage error).
pub(crate) fn load_some(ctx: &Context, names: &[String]) -> Result<(Config, Vec<Problem>)> {
    let (loaded, others) = pick(load(ctx)?, names, ctx)?;
    Ok((loaded.config, others))
}

/// As [`load_some`] without names, but refused too where a name is none of a profile, sound or not.
pub(crate) fn load_known(ctx: &Context, names: &[String]) -> Result<(Config, Vec<Problem>)> {
    let loaded = load(ctx)?;
    if let Some(unknown) = names.iter().find(|name| !is_known(&loaded, name)) {
        return Err(no_profile(&loaded, unknown, false, ctx));
    }
    let (loaded, others) = pick(loaded, &[], ctx)?;
    Ok((loaded.config, others))
}

/// The profiles that are named, be it by their groups, in the order named and each once; beside the whole
/// configuration, for a run may have to tell of another profile's run too. A profile of a group that cannot be used
/// does not stop its neighbours: what is wrong with it is among the problems that come back.
pub(crate) fn load_to_run(ctx: &Context, names: &[String]) -> Result<(Vec<Profile>, Config, Vec<Problem>)> {
    let loaded = load(ctx)?;
    let whole = loaded.config.clone();
    if names.is_empty() {
        let (loaded, others) = pick(loaded, names, ctx)?;
        return Ok((loaded.config.profiles, whole, others));
    }
    let (mut named, mut left) = (Vec::new(), Vec::new());
    for name in names {
        match loaded.config.groups.get(name) {
            Some(group) => {
                let broken = |member: &&String| loaded.problems.iter().any(|problem| problem.stops(member));
                left.extend(group.profiles.iter().filter(broken).cloned());
                named.extend(group.profiles.iter().filter(|member| !broken(member)).cloned());
            }
            None if is_known(&loaded, name) => named.push(name.clone()),
            None => return Err(no_profile(&loaded, name, true, ctx)),
        }
    }
    let of_all = |problem: &&Problem| problem.profiles.is_none() && problem.severity == Severity::Error;
    refuse(&loaded.problems.iter().filter(of_all).collect::<Vec<_>>())?;
    let mut problems = loaded.problems.clone();
    problems.retain(|problem| left.iter().any(|name| problem.stops(name)));
    // With no name left none is meant, and not all.
    let profiles = if named.is_empty() { Vec::new() } else { pick(loaded, &named, ctx)?.0.config.profiles };
    Ok((profiles, whole, problems))
}

/// The whole configuration; refused where anything is wrong with it.
pub(crate) fn load_sound(ctx: &Context) -> Result<Config> {
    let loaded = load(ctx)?;
    let errors: Vec<_> =
        loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
    refuse(&errors)?;
    Ok(loaded.config)
}

/// What [`load_some`] promises, with the origins of the values.
pub(super) fn pick(mut loaded: Loaded, names: &[String], ctx: &Context) -> Result<(Loaded, Vec<Problem>)> {
    if let Some(unknown) = names.iter().find(|name| !is_known(&loaded, name)) {
        return Err(no_profile(&loaded, unknown, false, ctx));
    }
    let concerns = |problem: &Problem| {
        problem.severity == Severity::Error
            && (problem.profiles.is_none() || names.iter().any(|name| problem.stops(name)))
    };
    let errors: Vec<_> = loaded.problems.iter().filter(|problem| concerns(problem)).collect();
    refuse(&errors)?;
    let mut others = Vec::new();
    if names.is_empty() {
        others =
            loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
    } else {
        let mut named = Vec::new();
        for name in names {
            let at = loaded.config.profiles.iter().position(|profile| profile.name == *name);
            named.extend(at.map(|at| loaded.config.profiles.swap_remove(at)));
        }
        loaded.config.profiles = named;
    }
    Ok((loaded, others))
}

/// Whether there is a file of that name, be it one that cannot be a profile.
fn is_known(loaded: &Loaded, name: &String) -> bool {
    let mut named = loaded.problems.iter().filter_map(|problem| problem.profiles.as_ref());
    loaded.names.contains(name) || named.any(|names| names.contains(name))
}

/// No profile is called so, nor a group where one would do.
fn no_profile(loaded: &Loaded, unknown: &str, groups: bool, ctx: &Context) -> Error {
    let what = if groups && !loaded.config.groups.is_empty() { "profile or group" } else { "profile" };
    let error = usage(format!("there is no {what} {}", quote(unknown)));
    let groups = loaded.config.groups.keys().filter(|_| groups);
    match nearest(unknown, loaded.names.iter().chain(groups).map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None if loaded.names.is_empty() => error.hint("`postkeep init` writes a first profile"),
        None => {
            // What cannot be a name of a profile is not made a path.
            let stem = if profile::is_name(unknown) { unknown } else { "NAME" };
            let file = ctx.config_dir.join(profile::PROFILES).join(format!("{stem}.toml"));
            error.hint(format!("its file would be {}", file.display()))
        }
    }
}

fn refuse(errors: &[&Problem]) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let errors: Vec<Problem> = errors.iter().map(|problem| (*problem).clone()).collect();
    let said = render(&errors, false);
    out::warn(said.strip_suffix('\n').unwrap_or(&said));
    Err(Error::new(Kind::Config, explain(errors.len())))
}

/// `2 problems in the configuration; see ...`.
pub(super) fn explain(problems: usize) -> String {
    let count = if problems == 1 { "1 problem".into() } else { format!("{problems} problems") };
    format!("{count} in the configuration; see `postkeep config check`")
}

/// Everything that is in the configuration's folder, checked against the disk too.
pub(super) fn load(ctx: &Context) -> Result<Loaded> {
    agent::configuration(&ctx.config_dir, &ctx.state_dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::profile::{Env, FileText};

    const PLAIN: &str = "kind = 'sync'\nmode = 'copy'\nsource = '/s'\n";

    fn loaded(main: &str) -> Loaded {
        let file = |name: &str, text: String| FileText { file: name.into(), content: Ok(text.into_bytes()) };
        let files = vec![
            file("postkeep.toml", main.into()),
            file("profiles/a.toml", format!("{PLAIN}target = '/a'")),
            file("profiles/b.toml", format!("{PLAIN}target = '/b'")),
            file("profiles/broken.toml", "flsh = 1".into()),
            file("profiles/Odd.toml", String::new()),
        ];
        let env = Env { home: None, cwd: "/".into(), var: &|_| None };
        profile::understand(Path::new("/c"), files, &env)
    }

    #[test]
    fn a_broken_profile_does_not_stop_the_others() {
        let ctx = Context { config_dir: "/c".into(), state_dir: "/s".into(), json: false, quiet: false };
        for (main, names, expected) in [
            ("", vec![], Ok((vec!["a", "b"], true))),
            ("", vec!["b", "a", "b"], Ok((vec!["b", "a"], false))),
            ("", vec!["a", "broken"], Err(Kind::Config)),
            ("", vec!["Odd"], Err(Kind::Config)),
            ("", vec!["c"], Err(Kind::Usage)),
            ("x = 1", vec!["a"], Err(Kind::Config)),
            ("x = 1", vec![], Err(Kind::Config)),
        ] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let picked = pick(loaded(main), &names, &ctx).map(|(loaded, others)| {
                let names: Vec<_> =
                    loaded.config.profiles.iter().map(|profile| profile.name.clone()).collect();
                (names, !others.is_empty())
            });
            let picked = picked.map_err(|error| error.kind());
            let expected = expected.map(|(names, others): (Vec<&str>, bool)| {
                (names.into_iter().map(str::to_owned).collect(), others)
            });
            assert_eq!(picked, expected, "{main} {names:?}");
        }
    }
}
