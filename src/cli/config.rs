//! `postkeep config`: what the configuration says, whether it can be used, and what could be in it.

mod load;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

pub(crate) use self::load::{load_known, load_some, load_sound, load_to_run};
use super::{Context, out, table};
use crate::error::Result;
use crate::profile::{self, FileKind, Loaded, Problem, Profile, Severity};

/// Check, show or describe the profile files
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Say everything that is wrong in the files, with its place and what to do
    ///
    /// All files are read, and all problems are told at once. An error keeps the profiles that it concerns from
    /// running; a warning does not. Nothing is written, and no profile is run.
    #[command(
        after_help = "Examples:\n  postkeep config check\n  postkeep config check --json | jq '.problems[].message'\n\n\
        Exit code: 0 when there is no error (warnings do not count), 1 otherwise."
    )]
    Check,
    /// Show each profile with all its values, and where each value comes from
    ///
    /// A value is written in the profile's own file, inherited from another one, a default of postkeep.toml, or
    /// built in.
    #[command(after_help = "Example:\n  postkeep config show documents")]
    Show {
        /// The profiles to show [default: all]
        #[arg(value_name = "PROFILE")]
        names: Vec<String>,
    },
    /// Print the JSON Schema of a profile file, for editors that complete and check TOML
    #[command(
        after_help = "Examples:\n  postkeep config schema > profile.schema.json\n  postkeep config schema --main > postkeep.schema.json"
    )]
    Schema {
        /// Of postkeep.toml instead
        #[arg(long)]
        main: bool,
    },
}

/// Runs the verb.
pub(crate) fn run(args: ConfigArgs, ctx: &Context) -> Result<ExitCode> {
    let (text, code) = match args.verb {
        ConfigVerb::Check => checked(&load::load(ctx)?, ctx),
        ConfigVerb::Show { names } => {
            let (loaded, others) = load::pick(load::load(ctx)?, &names, ctx)?;
            if !others.is_empty() {
                out::warn(&format!("postkeep: not shown: {}", load::explain(others.len())));
            }
            (shown(&loaded, ctx.json), ExitCode::SUCCESS)
        }
        ConfigVerb::Schema { main } => {
            let kind = if main { FileKind::Main } else { FileKind::Profile };
            (pretty(&profile::schema(kind)), ExitCode::SUCCESS)
        }
    };
    out::print(&text)?;
    Ok(code)
}

fn checked(loaded: &Loaded, ctx: &Context) -> (String, ExitCode) {
    let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let code = if errors > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if ctx.json {
        let warnings = loaded.problems.len() - errors;
        let all = json!({
            "profiles": loaded.names, "errors": errors, "warnings": warnings, "problems": loaded.problems,
        });
        return (pretty(&all), code);
    }
    let mut text = render(&loaded.problems, ctx.color());
    if !ctx.quiet {
        text.push_str(&summary(loaded.names.len(), errors, loaded.problems.len() - errors));
        text.push('\n');
        if loaded.names.is_empty() {
            text.push_str("  hint: `postkeep init` writes a first profile\n");
        }
    }
    (text, code)
}

/// The problems for people, an empty line after each.
fn render(problems: &[Problem], color: bool) -> String {
    problems.iter().map(|problem| problem.render(color) + "\n").collect()
}

/// `3 profiles, no problems`.
fn summary(profiles: usize, errors: usize, warnings: usize) -> String {
    let counted = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        number => Some(format!("{number} {word}s")),
    };
    let profiles = counted(profiles, "profile").unwrap_or_else(|| "no profiles".into());
    let problems = [counted(errors, "error"), counted(warnings, "warning")];
    let problems: Vec<_> = problems.into_iter().flatten().collect();
    if problems.is_empty() {
        format!("{profiles}, no problems")
    } else {
        format!("{profiles}, {}", problems.join(", "))
    }
}

fn shown(loaded: &Loaded, json: bool) -> String {
    let none = profile::Origins::new();
    let values = |one: &Profile| profile::show(one, loaded.origins.get(&one.name).unwrap_or(&none));
    if json {
        let profiles =
            loaded.config.profiles.iter().map(
                |one| json!({ "name": one.name, "fingerprint": one.fingerprint, "values": values(one) }),
            );
        return pretty(&json!({ "profiles": profiles.collect::<Vec<_>>() }));
    }
    let tables = loaded.config.profiles.iter().map(|one| {
        let values = values(one);
        // One long list of patterns must not push all origins out of sight.
        const WIDEST: usize = 40;
        let key_width = values.iter().map(|value| value.key.len()).max().unwrap_or_default();
        let widths = values.iter().map(|value| table::seen(&value.text));
        let width = widths.filter(|width| *width <= WIDEST).max().unwrap_or_default();
        let lines = values.iter().map(|value| {
            let gap = " ".repeat(width.saturating_sub(table::seen(&value.text)));
            format!("  {:key_width$}  {}{gap}  {}\n", value.key, value.text, value.whence())
        });
        format!("{}\n{}", one.name, lines.collect::<String>())
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_count() {
        for (numbers, text) in [
            ((3, 0, 0), "3 profiles, no problems"),
            ((1, 1, 2), "1 profile, 1 error, 2 warnings"),
            ((0, 0, 0), "no profiles, no problems"),
            ((2, 0, 1), "2 profiles, 1 warning"),
        ] {
            assert_eq!(summary(numbers.0, numbers.1, numbers.2), text);
        }
    }
}
