//! Files that other programs read: Prometheus' text format, and `status --json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::work::Shared;
use crate::error::{Context, Error, Result};
use crate::mutex::lock;
use crate::scheduler::View;
use crate::state::{Query, RunRow, State};

/// How long our own `status` may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The metrics of all profiles, as the textfile collector reads them.
///
/// # Errors
/// The state cannot be read.
pub(super) fn metrics(state: &State, views: &BTreeMap<String, View>, now: Timestamp) -> Result<String> {
    let mut table = Table::default();
    table.add(
        "agent_last_look_timestamp_seconds",
        "When the agent looked at the clock last",
        "",
        seconds(now),
    );
    let waiting = state.outbox().pending(1_000)?.len();
    table.add("letters_waiting", "Letters that are not with their readers", "", waiting.to_string());
    for (profile, view) in views {
        let label = format!("{{profile=\"{profile}\"}}");
        let mut say = |name, help, value: String| table.add(name, help, &label, value);
        let flag = |set: bool| u8::from(set).to_string();
        say("profile_overdue", "1 if a due time passed without a run", flag(view.overdue.is_some()));
        say("profile_paused", "1 if it is paused", flag(view.paused.is_some()));
        say("profile_skipped", "1 if its condition is not met", flag(view.skipped.is_some()));
        say("profile_running", "1 if a run of the agent is at work", flag(view.at_work.is_some()));
        if let Some(next) = view.next.filter(|_| view.paused.is_none()) {
            say("profile_next_run_timestamp_seconds", "When it is due next", seconds(next));
        }
        let newest = state.history().runs(&Query { profile: Some(profile), limit: 2, before: None })?;
        let Some(last) = newest.iter().find(|row| row.ended.is_some()) else { continue };
        let success = match last.status.is_success() {
            true => Some(last.clone()),
            false => state.history().last_success(profile, last.id)?,
        };
        if let Some(ended) = success.and_then(|row| row.ended) {
            say("profile_last_success_timestamp_seconds", "When the last success ended", seconds(ended));
        }
        let status = format!("{{profile=\"{profile}\",status=\"{}\"}}", last.status.word());
        of_last_run(&mut say, last);
        table.add("profile_last_run_status", "How the last run ended", &status, "1".into());
    }
    Ok(table.text())
}

fn of_last_run(say: &mut dyn FnMut(&'static str, &'static str, String), last: &RunRow) {
    let ended = last.ended.unwrap_or(last.started);
    let took = ended.duration_since(last.started).as_secs_f64();
    say("profile_last_run_timestamp_seconds", "When the last run ended", seconds(ended));
    say("profile_last_run_duration_seconds", "How long it took", format!("{took:.3}"));
    let Some(outcome) = &last.outcome else { return };
    say("profile_last_run_errors", "Entries that were not synced or saved", outcome.errors.to_string());
    say("profile_last_run_warnings", "Entries that need a look", outcome.warnings.to_string());
    say("profile_last_run_files", "Files looked at", outcome.counts.files.to_string());
    say("profile_last_run_copied_bytes", "Bytes copied", outcome.counts.copied_bytes.to_string());
    if let Some(free) = outcome.free_bytes {
        say("profile_target_free_bytes", "Bytes free on the target", free.to_string());
    }
}

fn seconds(time: Timestamp) -> String {
    time.as_second().to_string()
}

/// Metrics by name: each stands together under its help.
#[derive(Default)]
struct Table(BTreeMap<&'static str, (&'static str, String)>);

impl Table {
    fn add(&mut self, name: &'static str, help: &'static str, labels: &str, value: String) {
        let (_, lines) = self.0.entry(name).or_insert_with(|| (help, String::new()));
        lines.push_str(&format!("postkeep_{name}{labels} {value}\n"));
    }

    fn text(&self) -> String {
        let metric = |(name, (help, lines)): (&&str, &(&str, String))| {
            format!("# HELP postkeep_{name} {help}.\n# TYPE postkeep_{name} gauge\n{lines}")
        };
        self.0.iter().map(metric).collect()
    }
}

/// Writes what `postkeep status --json` prints now, in a thread: it asks the agent, which has other things to do. What
/// went wrong last is in `trouble`, so that it is said once.
pub(super) fn write_status(shared: &Shared, path: &Path, config_dir: &Path, writer: &Arc<Writer>) {
    writer.again.store(true, SeqCst);
    // One at a time, or an older answer could come after a newer one.
    if writer.busy.swap(true, SeqCst) {
        return;
    }
    let (shared, path, config_dir) = (shared.clone(), path.to_owned(), config_dir.to_owned());
    let mine = Arc::clone(writer);
    let thread = std::thread::Builder::new().name("status".into()).spawn(move || {
        loop {
            if !mine.again.swap(false, SeqCst) {
                mine.busy.store(false, SeqCst);
                // Somebody may have asked just before that, and have found this one busy.
                if !mine.again.load(SeqCst) || mine.busy.swap(true, SeqCst) {
                    return;
                }
                continue;
            }
            let said = ask_ourselves(&shared, &path, &config_dir).err().map(|error| error.one_line());
            let mut before = lock(&mine.trouble);
            if let Some(said) = said.as_ref().filter(|said| before.as_ref() != Some(said)) {
                shared.journal.say(shared.clock.now(), said);
            }
            *before = said;
        }
    });
    if thread.is_err() {
        writer.busy.store(false, SeqCst);
    }
}

/// The one who writes the status.
#[derive(Default)]
pub(super) struct Writer {
    busy: AtomicBool,
    again: AtomicBool,
    trouble: Mutex<Option<String>>,
}

fn ask_ourselves(shared: &Shared, path: &Path, config_dir: &Path) -> Result<()> {
    let program = std::env::current_exe().context(|| "cannot find this program".into())?;
    let mut command = Command::new(program);
    command.args(["status", "--json", "--config"]).arg(config_dir).arg("--state").arg(&shared.state_dir);
    match crate::child::run(command, Vec::new(), PATIENCE) {
        Ok(ended) if ended.status.success() => replace(path, &ended.stdout),
        Ok(ended) => Err(Error::other(format!("cannot write {}: {}", path.display(), ended.said))),
        Err(_) => {
            Err(Error::other(format!("cannot write {}: `postkeep status` does not end", path.display())))
        }
    }
}

/// Puts a file in the place of another, whole or not at all, readable for all.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&part);
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(part)?;
        // Whatever the process's mask is: others are to read it.
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.write_all(text)?;
        fs::rename(part, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(part))).context(failed)
}
