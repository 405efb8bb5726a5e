//! `postkeep restore`: files out of a vault.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use rustic_core::repofile::{Node, SnapshotFile};
use serde_json::json;

use super::watched::watched;
use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, out, signals, table, usage};
use crate::clock::{Clock as _, System};
use crate::entry::{RelPath, show};
use crate::error::{Error, Kind, Result};
use crate::figures::{count, of, size};
use crate::progress::Meter;
use crate::run::{RunId, Severity};
use crate::vault::choice::Choice;
use crate::vault::indexed::Indexed;
use crate::vault::restore::{Act, Counts, Line, Order, Restored, restore};
use crate::vault::{Access, Lock, Vault, snapshot, tree};

/// Restore files from a vault
///
/// Into a new or empty folder, where the whole snapshot appears with its paths; or, of SNAPSHOT:PATH, what is in PATH.
/// Content, modes, times to the nanosecond, extended attributes, access lists, hard and symbolic links come back; owners
/// and devices too for the superuser. Every piece is checked against its checksum. What cannot be restored is listed by
/// name, and the rest is restored. Nothing is ever written outside the target, whatever names a snapshot holds.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep restore [OPTIONS] [PROFILE] [SNAPSHOT[:PATH]] (--target DIR | --in-place)", after_help = format!("\
SNAPSHOT is the beginning of an id, latest (the default), latest~1 for the one before, or a date: 2026-11-24 or \
2026-11-24T18:00 mean the last one until then.

Examples:
  postkeep restore documents --target /tmp/back                     everything, as it was last saved
  postkeep restore documents latest:/home/ann/papers -t papers      one folder
  postkeep restore documents 2026-11-01 -t old --include '*.odt'    some files, as they were then
  postkeep restore documents --in-place -n                          what bringing everything back would do
  postkeep restore documents latest:/home/ann/x.odt --in-place      one file, to where it was

Globs are those of .gitignore; a leading / is the top of what is restored. --exclude counts before --include.

{BARE}

Exit codes: 0 all is restored, 3 some metadata could not be kept, or paused by a provider's budget, 1 something could not be \
restored or nothing matches, 2 usage, \
10 no vault, 12 wrong password, 130 cancelled."))]
pub(crate) struct RestoreArgs {
    /// The profile, and the snapshot with the path in it
    #[arg(value_name = "PROFILE] [SNAPSHOT[:PATH]")]
    words: Vec<String>,
    /// The folder to restore into; it is made if it is not there
    #[arg(
        long,
        short,
        value_name = "DIR",
        required_unless_present = "in_place",
        conflicts_with = "in_place"
    )]
    target: Option<PathBuf>,
    /// Restore to where the files were: what differs there is overwritten, and what only the folder has stays
    #[arg(long)]
    in_place: bool,
    /// The target may hold something: what differs is overwritten, and what only the target has stays
    #[arg(long)]
    merge: bool,
    /// Restore only what matches (may be given several times)
    #[arg(long, short, value_name = "GLOB")]
    include: Vec<String>,
    /// Leave out what matches (may be given several times)
    #[arg(long, short, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &RestoreArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| restored(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn restored(args: &RestoreArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let choice = Choice::new(&args.include, &args.exclude)?;
    let (name, path) = words.first().map_or(("latest", None), |word| snapshot::split(word));
    let vault = chosen.open()?;
    let all = vault.readable_snapshots()?;
    let snapshot = all.choose(name, &chosen.scope(), &TimeZone::system())?;
    if let Some(note) = snapshot::ahead([snapshot], System.now()).filter(|_| name == "latest") {
        out::warn(&format!("warning: {note}"));
        out::warn("  hint: name another one by its id or by a date, today's for example");
    }
    let _lock = (!args.dry_run).then(|| lock(&vault)).flatten();
    let vault = vault.read()?;
    let places = match &args.target {
        Some(target) => {
            let (at, node) = tree::at(&vault, snapshot.tree, path.unwrap_or("/").as_bytes())?;
            // What is given to a folder of the user's own is what is in it, not what it looks like.
            let dress = path.is_some() && !target.exists();
            vec![Place { top: top(&at, &node), node, target: target.clone(), dress }]
        }
        None => in_place(&vault, snapshot, path)?,
    };
    let now = System.now();
    let run = RunId::new(now, u128::from(std::process::id()));
    let meter = Arc::new(Meter::default());
    signals::cancel(&meter)?;
    let store = vault.vault().store();
    let (mut code, mut nothing) = (0, true);
    let mut told = Vec::new();
    for Place { node, target, top, dress } in &places {
        let merge = args.merge || args.in_place;
        let order = Order { choice: &choice, merge, dress: *dress, dry: args.dry_run, now, run };
        let mut lines = Vec::new();
        let mut is_named = false;
        let mut say = |line: Line<'_>| {
            if ctx.json {
                lines.push(
                    json!({ "act": word(line.act), "path": line.path.to_string(), "bytes": line.bytes }),
                );
            } else if !(args.in_place && line.act == Act::Same) {
                if args.in_place && !std::mem::replace(&mut is_named, true) {
                    out::say(&format!("in {}:", show(target.as_os_str().as_bytes())));
                }
                let bytes = if line.bytes > 0 { size(line.bytes) } else { String::new() };
                out::say(&format!("{:<8}{bytes:>11}  {}", word(line.act), line.path));
            }
        };
        if let Some(summary) = snapshot.summary.as_ref().filter(|_| path.is_none() && choice.is_all()) {
            meter.planned(summary.total_files_processed, summary.total_bytes_processed);
        }
        let restored = watched(ctx, "restore", (&meter, store), || {
            restore(&vault, node, target, &order, &meter, &mut say)
        })?;
        code = worst(code, &restored);
        nothing &= restored.counts == Counts::default();
        if ctx.json {
            told.push(as_json(target, &restored, lines));
        } else {
            print(ctx, snapshot, (target, top), args.dry_run, &restored)?;
        }
        if let Some(error) = restored.away.filter(|_| !restored.cancelled) {
            out::warn(&format!("postkeep: stopped before everything was restored: {}", error.one_line()));
            out::warn(
                "  hint: when the vault is there again, the same with --merge restores what is missing",
            );
            break;
        }
    }
    // A folder that was there already is not counted.
    if nothing && code == 0 && !choice.is_all() && !args.merge && !args.in_place {
        out::warn("postkeep: nothing in the snapshot matches what was asked for");
        out::warn("  hint: globs are those of .gitignore; `postkeep find` shows what there is");
        code = 1;
    }
    if ctx.json {
        let id = snapshot::full(&snapshot.id);
        out::print(&format!("{}\n", json!({ "snapshot": id, "dry-run": args.dry_run, "targets": told })))?;
    }
    Ok(ExitCode::from(code))
}

/// Keeps others from removing what is about to be read. A vault that cannot be written is read all the same.
pub(super) fn lock(vault: &Vault) -> Option<Lock> {
    let locked = vault.lock(Access::Shared);
    if let Err(error) = &locked
        && error.kind() == Kind::Locked
    {
        out::warn(&format!("warning: {}", error.one_line()));
        out::warn("  hint: should pieces be missing below, restore again when that is over");
    }
    locked.ok()
}

/// What is restored to where.
struct Place {
    node: Node,
    /// A folder on this machine.
    target: PathBuf,
    /// What the same folder is in the snapshot.
    top: String,
    /// Whether the target gets the folder's metadata, too.
    dress: bool,
}

/// The folder in the snapshot whose content goes into the target.
fn top(at: &RelPath, node: &Node) -> String {
    let path = format!("/{at}");
    match path.rsplit_once('/') {
        Some((above, _)) if !node.is_dir() => above.to_owned(),
        _ => path.trim_end_matches('/').to_owned(),
    }
}

/// What goes where when files come back to where they were: each path that was saved, or what is in it, on its own.
fn in_place(vault: &Indexed<'_>, snapshot: &SnapshotFile, path: Option<&str>) -> Result<Vec<Place>> {
    let named: Vec<String> = match path {
        Some(path) => vec![path.to_owned()],
        None => snapshot.paths.iter().cloned().collect(),
    };
    let mut places = Vec::new();
    for text in named {
        let (at, node) = tree::at(vault, snapshot.tree, text.as_bytes())?;
        let whole = Path::new("/").join(at.as_path());
        if !Path::new(&text).is_absolute() || at.as_bytes().is_empty() {
            return Err(usage(format!("{} is no absolute path below /", show(text.as_bytes())))
                .hint("name what is to come back: SNAPSHOT:/home/ann/papers, or restore into a folder with --target"));
        }
        let target =
            if node.is_dir() { whole } else { whole.parent().map(Path::to_owned).unwrap_or_default() };
        places.push(Place { top: top(&at, &node), node, target, dress: true });
    }
    Ok(places)
}

fn word(act: Act) -> &'static str {
    match act {
        Act::New => "new",
        Act::Replace => "replace",
        Act::Same => "same",
    }
}

/// The worse of two exit codes.
fn worst(before: u8, restored: &Restored) -> u8 {
    let now = match restored {
        Restored { cancelled: true, .. } => 130,
        Restored { broken: true, .. } | Restored { away: Some(_), .. } => 1,
        Restored { paused: true, .. } => 3,
        Restored { failures, .. } if failures.warnings > 0 => 3,
        _ => 0,
    };
    let rank = |code: u8| [0, 3, 1, 130].iter().position(|known| *known == code);
    if rank(now) > rank(before) { now } else { before }
}

fn print(
    ctx: &Context,
    snapshot: &SnapshotFile,
    (target, top): (&Path, &str),
    dry: bool,
    restored: &Restored,
) -> Result<()> {
    let Restored { counts, failures, paused, cancelled, .. } = restored;
    for failure in &failures.list {
        let kind = if failure.severity == Severity::Error { "failed" } else { "warning" };
        let path = format!("{top}/{}", failure.path);
        let path = if failure.path.is_empty() && !top.is_empty() { top } else { &path };
        out::warn(&format!("{kind}: {path}: {}", failure.cause));
    }
    if *paused {
        out::warn(&format!("  hint: {}", budget::NOW));
    }
    let listed = failures.list.len() as u64;
    if failures.errors + failures.warnings > listed {
        out::warn(&format!("and {} more", count(failures.errors + failures.warnings - listed)));
    }
    if ctx.quiet && failures.errors == 0 && !cancelled {
        return Ok(());
    }
    let target = show(target.as_os_str().as_bytes());
    let verb = match (dry, cancelled) {
        (true, _) => "would restore",
        (_, true) => "cancelled; restored",
        _ => "restored",
    };
    let files = format!("{} ({})", of(counts.files, "file", "files"), size(counts.bytes));
    let parts = [
        (counts.files, files),
        (counts.folders, of(counts.folders, "folder", "folders")),
        (counts.others, of(counts.others, "other entry", "other entries")),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, part)| part).collect();
    let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
    let mut line = format!(
        "{verb} {what} to {target} from snapshot {} of {}",
        snapshot::short(snapshot),
        table::when(snapshot.time.timestamp()),
    );
    if counts.unchanged > 0 {
        line.push_str(&format!("; {} as before", of(counts.unchanged, "entry is", "entries are")));
    }
    if failures.errors > 0 {
        line.push_str(&format!("; {} NOT restored", of(failures.errors, "entry", "entries")));
    }
    out::write(|to| writeln!(to, "{line}"))
}

fn as_json(target: &Path, restored: &Restored, lines: Vec<serde_json::Value>) -> serde_json::Value {
    let Restored { counts, failures, paused, cancelled, away, .. } = restored;
    json!({
        "target": show(target.as_os_str().as_bytes()),
        "files": counts.files,
        "bytes": counts.bytes,
        "folders": counts.folders,
        "others": counts.others,
        "unchanged": counts.unchanged,
        "errors": failures.errors,
        "warnings": failures.warnings,
        "paused": paused,
        "cancelled": cancelled,
        "away": away.as_ref().map(Error::one_line),
        "failures": failures.list,
        "lines": lines,
    })
}
