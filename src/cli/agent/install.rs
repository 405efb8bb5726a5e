//! `postkeep agent install`: writes the units and starts the agent.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::place::{self, Place, PlaceArgs};
use crate::cli::{Context, config, out};
use crate::daemon::unit::{Manager, Needs, OVERDUE_SERVICE, OVERDUE_TIMER, SERVICE, Setup, Unit};
use crate::entry::show;
use crate::error::{Context as _, Error, Result};

/// Make the agent a service of systemd, and start it
///
/// Writes the units postkeep.service (the agent) and postkeep-overdue.timer (tells of runs that did not happen when the
/// agent cannot), and starts both. The units keep from the agent what the configuration does not need: install again
/// after an account with `sendmail`, a command of yours or a folder of the system was added.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  postkeep agent install                             for you, from your login on
  sudo postkeep agent install --system               as root, from the machine's start on
  sudo postkeep agent install --system --user-name ann
  postkeep agent install -n                          show the units and write nothing

--config and --state, or POSTKEEP_CONFIG and POSTKEEP_STATE, hold for the service too.
Exit codes: 0 the agent runs, 1 it does not: the files may be there all the same.")]
pub(super) struct InstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The user that a service of the system runs as [default: root]
    #[arg(long, value_name = "NAME", requires = "system")]
    user_name: Option<String>,
    /// Only the agent: nothing looks for overdue runs when it is gone
    #[arg(long)]
    no_timer: bool,
    /// Print the units, write and start nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// What became of the files.
#[derive(Default)]
struct Written {
    new: Vec<PathBuf>,
    changed: Vec<PathBuf>,
    same: Vec<PathBuf>,
    removed: Vec<PathBuf>,
}

pub(super) fn run(args: &InstallArgs, ctx: &Context) -> Result<ExitCode> {
    let place = Place::new(&args.place)?;
    let (manager, ctx) = whose(args, ctx)?;
    let ctx = &ctx;
    let config = config::load_sound(ctx)?;
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let program = std::env::current_exe().context(|| "cannot tell where postkeep itself is".into())?;
    let own =
        |below: &str| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(below).join("postkeep"));
    // A service of the system has another home, or none: it is told in any case.
    let told = |dir: &Path, below: &str| {
        (args.place.system || own(below).as_deref() != Some(dir)).then(|| dir.to_owned())
    };
    let setup = Setup {
        manager,
        config: told(&ctx.config_dir, ".config"),
        state: told(&ctx.state_dir, ".local/state"),
        needs: Needs::of(&config, &ctx.state_dir, &real),
        program,
    };
    let units = setup.units(!args.no_timer)?;
    if args.dry_run {
        return preview(&place, &units, ctx);
    }
    place.must_be_writable("install")?;
    let old =
        [SERVICE, OVERDUE_SERVICE, OVERDUE_TIMER].map(|name| place.read_ours(name).map(|text| (name, text)));
    let old: Vec<_> = old.into_iter().collect::<Result<_>>()?;
    warn_of(&setup.program);
    let unwanted: Vec<_> = old
        .iter()
        .filter(|(name, text)| text.is_some() && units.iter().all(|unit| unit.name != *name))
        .collect();
    // Only a unit that systemd still knows can be stopped. Whether that worked is told by what comes after.
    let stopped = if unwanted.is_empty() { Ok(()) } else { place.call(&["disable", "--now", OVERDUE_TIMER]) };
    let mut written = Written::default();
    for (name, _) in unwanted {
        let path = place.folder.join(name);
        fs::remove_file(&path).context(|| format!("cannot remove {}", path.display()))?;
        written.removed.push(path);
    }
    for unit in &units {
        let path = place.folder.join(unit.name);
        let before = old.iter().find(|(name, _)| *name == unit.name).and_then(|(_, text)| text.as_ref());
        match before {
            Some(text) if text == unit.text.as_bytes() => {
                written.same.push(path);
                continue;
            }
            Some(_) => written.changed.push(path.clone()),
            None => written.new.push(path.clone()),
        }
        write(&path, &unit.text)?;
    }
    let started = stopped.and_then(|()| start(&place, &written, &units));
    tell(&written, &place, started.is_ok(), ctx)?;
    started.map(|()| ExitCode::SUCCESS).map_err(|error| what_to_do(error, &place, &units))
}

/// Who runs the agent, and where his folders are.
fn whose(args: &InstallArgs, ctx: &Context) -> Result<(Manager, Context)> {
    let mut ctx = Context {
        config_dir: ctx.config_dir.clone(),
        state_dir: ctx.state_dir.clone(),
        json: ctx.json,
        quiet: ctx.quiet,
    };
    if !args.place.system {
        return Ok((Manager::User, ctx));
    }
    let Some(name) = &args.user_name else { return Ok((Manager::System("root".into()), ctx)) };
    let (number, home) = place::user(name)?;
    // Whoever names no folders means that user's, not those of root who installs.
    let caller = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    for (dir, below) in
        [(&mut ctx.config_dir, ".config/postkeep"), (&mut ctx.state_dir, ".local/state/postkeep")]
    {
        if *dir == caller.join(below) {
            *dir = home.join(below);
        }
    }
    let owner = fs::metadata(&ctx.state_dir).map(|meta| meta.uid());
    if owner.is_ok_and(|owner| owner != number) {
        let said = format!("the state folder {} does not belong to {name}", ctx.state_dir.display());
        return Err(Error::other(said).hint("name another one with --state DIR"));
    }
    Ok((Manager::System(name.clone()), ctx))
}

fn preview(place: &Place, units: &[Unit], ctx: &Context) -> Result<ExitCode> {
    let path = |unit: &Unit| place.folder.join(unit.name);
    if ctx.json {
        let units: Vec<_> = units
            .iter()
            .map(|unit| json!({ "path": path(unit).display().to_string(), "text": unit.text }))
            .collect();
        out::print(&format!("{}\n", json!({ "units": units })))?;
    } else {
        let texts: Vec<_> =
            units.iter().map(|unit| format!("# {}\n{}", path(unit).display(), unit.text)).collect();
        out::print(&texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A program that is gone tomorrow makes an agent that is gone tomorrow.
fn warn_of(program: &Path) {
    let built = program.iter().any(|part| part == "target") && !program.starts_with("/usr");
    let passing = [Path::new("/tmp"), Path::new("/var/tmp"), Path::new("/dev/shm")];
    let why = if passing.iter().any(|dir| program.starts_with(dir)) {
        "where files do not stay"
    } else if built {
        "in cargo's target folder, where the next build replaces it"
    } else {
        return;
    };
    let program = show(program.as_os_str().as_encoded_bytes());
    out::warn(&format!("postkeep: warning: the service starts {program}, {why}"));
    out::warn("  hint: `cargo install --path .` puts it into ~/.cargo/bin; install the agent with that one");
}

/// Writes a unit, whole or not at all.
fn write(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).context(|| format!("cannot make the folder {}", folder.display()))?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Whatever the umask: systemd's verifier and other people may read it.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.sync_all()
    });
    let written = written.and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.context(failed)
}

fn start(place: &Place, written: &Written, units: &[Unit]) -> Result<()> {
    place.call(&["daemon-reload"])?;
    if written.changed.iter().any(|path| path.ends_with(SERVICE)) {
        // It ends what it does in good order, and goes on with the new unit.
        place.call(&["try-restart", SERVICE])?;
    }
    place.call(&[&["enable", "--now"], wanted(units).as_slice()].concat())
}

/// The units that are started by themselves.
fn wanted(units: &[Unit]) -> Vec<&'static str> {
    units.iter().map(|unit| unit.name).filter(|name| *name != OVERDUE_SERVICE).collect()
}

fn tell(written: &Written, place: &Place, started: bool, ctx: &Context) -> Result<()> {
    let Written { new, changed, same, removed } = written;
    if ctx.json {
        let shown =
            |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let text = json!({
            "new": shown(new), "changed": shown(changed), "same": shown(same), "removed": shown(removed),
            "started": started,
        });
        return out::print(&format!("{text}\n"));
    }
    if ctx.quiet && started {
        return Ok(());
    }
    let mut text = String::new();
    for (word, paths) in [("Written", new), ("Changed", changed), ("Removed", removed)] {
        if !paths.is_empty() {
            let paths: String = paths.iter().map(|path| format!("  {}\n", path.display())).collect();
            text.push_str(&format!("{word}:\n{paths}"));
        }
    }
    if text.is_empty() {
        text.push_str(&format!(
            "Nothing changed: the units in {} are as they should be\n",
            place.folder.display()
        ));
    }
    if started {
        let from = if place.system { "the start of the machine" } else { "your next login" };
        text.push_str(&format!(
            "The agent runs, and will from {from} on.\n\nNext:\n  postkeep agent status    what it does\n  \
             postkeep agent logs      what it said\n"
        ));
        if !place.system {
            text.push_str("  loginctl enable-linger   lets it run while you are logged out, too\n");
        }
    }
    out::print(&text)
}

/// The files are there, but nobody reads them.
fn what_to_do(error: Error, place: &Place, units: &[Unit]) -> Error {
    let by_hand =
        format!("{0} daemon-reload && {0} enable --now {1}", place.systemctl(), wanted(units).join(" "));
    let error =
        Error::other("the units are written, but the agent was not started").caused_by(error.one_line());
    let error = error.hint(format!("where systemd runs: {by_hand}"));
    let error = if place.system {
        error.hint("what the agent says when it does not start: journalctl -u postkeep")
    } else {
        error
            .hint("what the agent says when it does not start: journalctl --user -u postkeep")
            .hint("after `su` or `sudo` there is no session: log in as that user, or install with --system")
    };
    error.hint("without systemd: let what starts services here run `postkeep agent`")
}
