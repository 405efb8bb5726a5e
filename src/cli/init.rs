//! `postkeep init`: from nothing to a first profile with a few questions.
//!
//! The answers go through the same checks as files do, and nothing is written before the last question. A file that
//! is there stays as it is.

mod ask;
mod write;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::ask::{Asker, Question};
use super::config::{real_env, real_look};
use super::{Context, usage};
use crate::error::{Context as _, Error, Kind, Result};
use crate::profile::{self, Answers, Env, FileText, MAIN_FILE, Mode, PROFILES, Severity, is_name, quote};

/// Write a first profile, or one more, with a few questions
///
/// Asks which folder to copy and where to, and writes profiles/NAME.toml with comments on everything that can be set;
/// the first time postkeep.toml too. Nothing is written before the last question, and files that are there already
/// are left as they are. No folder is copied yet: that is what `postkeep run` does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep init
  postkeep init --source ~/Documents --target /mnt/nas/Documents --yes

A relative path counts from the current folder.")]
pub(crate) struct InitArgs {
    /// The folder to copy from [default: ~/Documents, if it is there]
    #[arg(long, value_name = "DIR")]
    source: Option<String>,
    /// The folder to copy to; it need not exist, its parent folder must when the profile runs
    #[arg(long, value_name = "DIR")]
    target: Option<String>,
    /// mirror: the target becomes equal to the source, deletions too; copy: nothing is deleted [default: mirror]
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// The profile's name: small letters, digits, dots, - and _ [default: from the source's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Folder for the reports: a Maildir, which mail programs can open [default: one in the state folder]
    #[arg(long, value_name = "DIR")]
    reports: Option<String>,
    /// Ask nothing: take the defaults for what is not given (--target has none)
    #[arg(long, short)]
    yes: bool,
}

/// The word for a mode.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    Mirror,
    Copy,
}

/// Runs the verb.
pub(crate) fn run(args: &InitArgs, ctx: &Context) -> Result<ExitCode> {
    let env = real_env()?;
    let dir =
        std::path::absolute(&ctx.config_dir).context(|| "cannot tell where the configuration is".into())?;
    let there = profile::files(&dir);
    let stdin = std::io::stdin();
    let patient = stdin.is_terminal();
    let mut asker = Asker::new(stdin.lock(), std::io::stdout().lock(), patient, args.yes);
    let Some(answers) = answers(args, ctx, &there, &env, &mut asker)? else {
        asker.say("Nothing was written.\n")?;
        return Ok(ExitCode::FAILURE);
    };
    let mut written = write::folder(&dir).and_then(|()| write::folder(&dir.join(PROFILES)));
    let mut paths = Vec::new();
    for text in new_files(&answers, &there) {
        let path = dir.join(&text.file);
        written = written.and_then(|()| write::new_file(&path, text.content.as_deref().unwrap_or_default()));
        paths.push(path);
    }
    written?;
    if !ctx.quiet {
        let name = &answers.name;
        let paths: String = paths.iter().map(|path| format!("  {}\n", path.display())).collect();
        // The files are there, whether anybody hears of it or not.
        let _ = asker.say(&format!(
            "Written:\n{paths}\nNext:\n  postkeep plan {name}    shows what a run would do, and does nothing\n  \
             postkeep run {name}     does it, and reports\n"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks, checks and asks whether to write; None if the last answer is no.
fn answers(
    args: &InitArgs,
    ctx: &Context,
    there: &[FileText],
    env: &Env,
    asker: &mut Asker<impl std::io::BufRead, impl Write>,
) -> Result<Option<Answers>> {
    let is_there = |file: &Path| there.iter().any(|text| text.file == file);
    let documents = Path::new("Documents");
    let documents =
        env.home.as_ref().is_some_and(|home| home.join(documents).is_dir()).then_some("~/Documents");
    let path = |text: &str| anchored(text, env);

    let source = asker.ask(&Question {
        text: "Which folder shall be copied?",
        default: documents,
        flag: "--source",
        given: args.source.as_deref(),
        check: &path,
    })?;
    let target = asker.ask(&Question {
        text: "Where to? (a folder; it is made if its parent folder is there)",
        default: None,
        flag: "--target",
        given: args.target.as_deref(),
        check: &path,
    })?;
    let mode = asker.ask(&Question {
        text: "mirror (the target becomes equal, deletions too) or copy (nothing is deleted)?",
        default: Some("mirror"),
        flag: "--mode",
        given: args.mode.map(ModeArg::word),
        check: &|word| {
            ModeArg::from_str(word, true)
                .map(|mode| mode.word().into())
                .map_err(|_| usage(format!("{} is neither mirror nor copy", quote(word))))
        },
    })?;
    let free = |name: &str| !is_there(&profile_path(name));
    let name = asker.ask(&Question {
        text: "What shall the profile be called?",
        default: Some(&suggested_name(&source, &free)),
        flag: "--name",
        given: args.name.as_deref(),
        check: &|name| match () {
            () if !is_name(name) => Err(usage(format!("{} cannot be the name of a profile", quote(name)))
                .hint("small letters, digits, dots, - and _, at most 64 of them")),
            () if !free(name) => Err(usage(format!("{} is there already", profile_path(name).display()))
                .hint("choose another name, or edit that file")),
            () => Ok(name.to_owned()),
        },
    })?;
    let reports = if is_there(Path::new(MAIN_FILE)) {
        if args.reports.is_some() {
            return Err(usage(format!("{MAIN_FILE} is there already, and says where reports go"))
                .hint("leave --reports out, or edit that file"));
        }
        None
    } else {
        let own = ctx.state_dir.display().to_string();
        let text = format!("In which Maildir shall the reports be? (Enter: the one in {own})");
        let folder = asker.ask(&Question {
            text: &text,
            default: Some(""),
            flag: "--reports",
            given: args.reports.as_deref(),
            check: &|folder| if folder.is_empty() { Ok(String::new()) } else { path(folder) },
        })?;
        (!folder.is_empty()).then_some(folder)
    };
    let mode = if mode == "copy" { Mode::Copy } else { Mode::Mirror };
    let answers = Answers { name, source, target, mode, reports };
    let warnings = checked(&answers, ctx, there, env)?;
    asker.say(&warnings)?;
    let sure = asker.ask(&Question {
        text: &format!(
            "Write the profile \"{}\": {} {} to {}?",
            answers.name,
            if mode == Mode::Copy { "copy" } else { "mirror" },
            quote(&answers.source),
            quote(&answers.target)
        ),
        default: Some("yes"),
        flag: "--yes",
        given: None,
        check: &|word| match word.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok("yes".into()),
            "n" | "no" => Ok("no".into()),
            _ => Err(usage("answer yes or no")),
        },
    })?;
    Ok((sure == "yes").then_some(answers))
}

impl ModeArg {
    fn word(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Copy => "copy",
        }
    }
}

/// A path as it is to be written: one that is relative here would be relative to the configuration there.
fn anchored(text: &str, env: &Env) -> Result<String> {
    let text = if text.starts_with(['/', '~', '$']) { text.to_owned() } else { below_cwd(text, env)? };
    match profile::expand(&text, Path::new("/"), env) {
        Ok(_) => Ok(text),
        Err(wrong) => {
            let error = usage(wrong.message);
            Err(wrong.hint.into_iter().fold(error, Error::hint))
        }
    }
}

fn below_cwd(text: &str, env: &Env) -> Result<String> {
    // What looks like a place on another machine is refused as such.
    profile::expand(text, &env.cwd, env)
        .map_err(|wrong| wrong.hint.into_iter().fold(usage(wrong.message), Error::hint))?;
    let cwd =
        env.cwd.to_str().ok_or_else(|| usage("the current folder's name is not UTF-8; give a whole path"))?;
    let whole = Path::new(&cwd.replace('$', "$$")).join(text);
    whole.into_os_string().into_string().map_err(|_| usage("the path is not UTF-8"))
}

fn profile_path(name: &str) -> PathBuf {
    Path::new(PROFILES).join(format!("{name}.toml"))
}

/// A free name made of the source's last name: "~/My Photos" -> "my-photos".
fn suggested_name(source: &str, free: &dyn Fn(&str) -> bool) -> String {
    let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let mut name: String = last.chars().map(plain).take(50).collect();
    name = name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if !is_name(&name) {
        name = "first".into();
    }
    let mut numbered = (2..).map(|number| format!("{name}-{number}"));
    if free(&name) { name } else { numbered.find(|name| free(name)).unwrap_or(name) }
}

fn new_files(answers: &Answers, there: &[FileText]) -> Vec<FileText> {
    let mut files = vec![FileText {
        file: profile_path(&answers.name),
        content: Ok(answers.profile_file().into_bytes()),
    }];
    if !there.iter().any(|text| text.file == Path::new(MAIN_FILE)) {
        files.push(FileText { file: MAIN_FILE.into(), content: Ok(answers.main_file().into_bytes()) });
    }
    files
}

/// Checks the answers as the files that they make, beside those that are there. Returns the warnings.
fn checked(answers: &Answers, ctx: &Context, there: &[FileText], env: &Env) -> Result<String> {
    let mut files = there.to_vec();
    files.extend(new_files(answers, there));
    let mut loaded = profile::understand(&ctx.config_dir, files, env);
    let state =
        std::path::absolute(&ctx.state_dir).context(|| "cannot tell where the state folder is".into())?;
    loaded.add(profile::check(&loaded, &state, &real_look));
    let name = answers.name.as_str();
    if let Some(problem) = loaded.problems.iter().find(|problem| problem.stops(name)) {
        let message = match &problem.place {
            _ if problem.profiles.is_none() => {
                format!("{} has errors: {}", problem.file.display(), problem.message)
            }
            _ => problem.message.clone(),
        };
        return Err(problem
            .hint
            .iter()
            .fold(Error::new(Kind::Config, message), |error, hint| error.hint(hint)));
    }
    let mine = |names: &Option<Vec<String>>| names.iter().flatten().any(|known| known == name);
    let warnings = loaded.problems.iter().filter(|problem| problem.severity == Severity::Warning);
    let warnings = warnings.filter(|problem| mine(&problem.profiles)).map(|problem| {
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("Note: {}{hint}\n", problem.message)
    });
    Ok(warnings.collect())
}

#[cfg(test)]
mod tests;
