//! `postkeep init`: from nothing to a first profile with a few questions.
//!
//! The answers go through the same checks as files do, and nothing is written before the last question. A file that
//! is there stays as it is.

mod carrier;
mod write;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::carrier::{CarrierArgs, NewSecret};
use super::ask::{Asker, Question};
use super::{Context, usage};
use crate::agent;
use crate::error::{Context as _, Error, Kind, Result};
use crate::profile::{
    self, Answers, Carrier, Env, FileText, MAIN_FILE, Mode, PROFILES, Severity, When, is_name, quote,
};

/// Write a first profile, or one more, with a few questions
///
/// Asks which folder to copy and where to, and writes profiles/NAME.toml with comments on everything that can be set.
/// The first time it asks too where the reports go, writes postkeep.toml, and tests the mail account with a letter.
/// Nothing is written before the last question, and files that are there already are left as they are. No folder is
/// copied yet: that is what `postkeep run` does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep init
  postkeep init --source ~/Documents --target /mnt/nas/Documents --yes
  postkeep init --mail me@gmail.com --password-command 'pass show postkeep'

A relative path counts from the current folder.

It makes profiles that copy or mirror. One that backs up into a vault you write yourself: six lines, as in README.md \
and docs/backup.md; then `postkeep vault init NAME` makes the vault.")]
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
    /// When it runs by itself, with the agent: a cron line, @daily, or a duration such as 6h [default: only by hand]
    #[arg(long, value_name = "WHEN")]
    schedule: Option<String>,
    #[command(flatten)]
    carrier: CarrierArgs,
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
    let env = agent::environment()?;
    let dir =
        std::path::absolute(&ctx.config_dir).context(|| "cannot tell where the configuration is".into())?;
    let there = profile::files(&dir);
    let stdin = std::io::stdin();
    let patient = stdin.is_terminal();
    let mut asker = Asker::new(stdin.lock(), std::io::stdout().lock(), patient, args.yes);
    let (answers, secret) = answers(args, ctx, &there, &env, &mut asker)?;
    let mut written = write::folder(&dir).and_then(|()| write::folder(&dir.join(PROFILES)));
    let mut paths = Vec::new();
    for text in new_files(&answers, &there) {
        let path = dir.join(&text.file);
        written = written.and_then(|()| write::new_file(&path, text.content.as_deref().unwrap_or_default()));
        paths.push(path);
    }
    if let Some(NewSecret { file, secret }) = &secret {
        let path = dir.join(file);
        written = written.and_then(|()| write::new_file(&path, format!("{secret}\n").as_bytes()));
        paths.push(path);
    }
    written?;
    if !ctx.quiet {
        let name = &answers.name;
        let paths: String = paths.iter().map(|path| format!("  {}\n", path.display())).collect();
        let agent = match answers.when {
            When::ByHand => "",
            _ => "  postkeep agent install    lets it run by itself from now on; postkeep next tells when\n",
        };
        // The files are there, whether anybody hears of it or not.
        let _ = asker.say(&format!(
            "Written:\n{paths}\nNext:\n  postkeep plan {name}    shows what a run would do, and does nothing\n  \
             postkeep run {name}     does it, and reports\n{agent}"
        ));
    }
    match answers.carrier {
        Carrier::Mail(_) => carrier::test(ctx, &mut asker),
        Carrier::Embedded | Carrier::Maildir(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Asks and checks: the answers, and a secret that is to be kept beside them.
fn answers(
    args: &InitArgs,
    ctx: &Context,
    there: &[FileText],
    env: &Env,
    asker: &mut Asker<impl std::io::BufRead, impl Write>,
) -> Result<(Answers, Option<NewSecret>)> {
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
        hidden: false,
        check: &path,
    })?;
    let target = asker.ask(&Question {
        text: "Where to? (a folder; it is made if its parent folder is there)",
        default: None,
        flag: "--target",
        given: args.target.as_deref(),
        hidden: false,
        check: &path,
    })?;
    let mode = asker.ask(&Question {
        text: "mirror (the target becomes equal, deletions too) or copy (nothing is deleted)?",
        default: Some("mirror"),
        flag: "--mode",
        given: args.mode.map(ModeArg::word),
        hidden: false,
        check: &|word| {
            ModeArg::from_str(word, true)
                .map(|mode| mode.word().into())
                .map_err(|_| usage(format!("{} is neither mirror nor copy", quote(word))))
        },
    })?;
    let when = asker.ask(&Question {
        text: "When shall it run by itself? (@hourly, @daily, a cron line such as \"30 12 * * *\", or 6h; Enter: by hand)",
        default: Some(""),
        flag: "--schedule",
        given: args.schedule.as_deref(),
        hidden: false,
        check: &|text| when_of(text).map(|_| text.trim().to_owned()),
    })?;
    let when = when_of(&when)?;
    let free = |name: &str| !is_there(&profile_path(name));
    let name = match &args.name {
        None => suggested_name(&source, &free),
        Some(name) if !is_name(name) => {
            return Err(usage(format!("{} cannot be the name of a profile", quote(name)))
                .hint("small letters, digits, dots, - and _, at most 64 of them"));
        }
        Some(name) if !free(name) => {
            return Err(usage(format!("{} is there already", profile_path(name).display()))
                .hint("choose another name, or edit that file"));
        }
        Some(name) => name.clone(),
    };
    let mode = if mode == "copy" { Mode::Copy } else { Mode::Mirror };
    let (carrier, secret) = if is_there(Path::new(MAIN_FILE)) {
        if args.carrier.any() {
            return Err(usage(format!("{MAIN_FILE} is there already, and says where reports go"))
                .hint("leave --reports and --mail out, or edit that file"));
        }
        (Carrier::Embedded, None)
    } else {
        carrier::ask(&args.carrier, ctx, &path, asker)?
    };
    let answers = Answers { name, source, target, mode, when, carrier };
    let warnings = checked(&answers, ctx, there, env)?;
    asker.say(&warnings)?;
    Ok((answers, secret))
}

impl ModeArg {
    fn word(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::Copy => "copy",
        }
    }
}

/// When a profile runs, by a person's words.
fn when_of(text: &str) -> Result<When> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(When::ByHand);
    }
    // A duration has no spaces and no sign of a cron line.
    if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(' ') {
        return profile::read_duration(text).map(|_| When::Every(text.to_owned())).map_err(Error::from);
    }
    profile::Cron::parse(text).map(|_| When::Schedule(text.to_owned())).map_err(Error::from)
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
    loaded.add(profile::check(&loaded, &state, &agent::look_at));
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
