//! `postkeep archive show`: one message, for reading.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::super::which::{BARE, Chosen, Which, too_many};
use super::super::{Context, budget, out, table, usage};
use super::{State, json_line, opened};
use crate::archive::read::{Archive, Found};
use crate::archive::stored::Stored;
use crate::archive::view::{self, View, clean, save_attachments};
use crate::archive::wanted::Prefix;
use crate::clock::{Clock, System};
use crate::entry::show;
use crate::error::Result;
use crate::figures::size;
use crate::run::RunId;

/// The largest message that is shown, in bytes.
const MOST: u64 = 512 << 20;

/// Show one message: its header, its text, and which attachments it has
///
/// What a message says is shown as harmless text: nothing in it can change the terminal, and nothing is fetched from
/// anywhere. The text is the plain one if there is one, else what an HTML text says.
#[derive(Debug, Args)]
#[command(override_usage = "postkeep archive show [OPTIONS] [PROFILE] ID", after_help = format!("\
Examples:
  postkeep archive show mail 3fa91c22
  postkeep archive show mail 3fa91c22 --raw > letter.eml
  postkeep archive show mail 3fa91c22 --save-attachments ~/Downloads/letter

`postkeep archive ls` shows the ids.

{BARE}

Exit codes: 0 done, 1 something cannot be read or written, or attachments may be missing, 2 usage, 3 paused by a provider's budget, \
10 no vault, 12 wrong password."))]
pub(crate) struct ShowArgs {
    /// The profile, and the beginning of the message's id
    #[arg(value_name = "PROFILE] [ID")]
    words: Vec<String>,
    /// The message as it is, byte for byte
    #[arg(long, conflicts_with = "save_attachments")]
    raw: bool,
    /// Save its attachments into this folder, over nothing that is there
    #[arg(long, value_name = "DIR")]
    save_attachments: Option<PathBuf>,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(args: &ShowArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, |chosen, words| shown(args, ctx, chosen, words));
    done.map_err(budget::hinted)
}

fn shown(args: &ShowArgs, ctx: &Context, chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let id = words.first().ok_or_else(|| {
        usage("no message is named").hint("`postkeep archive ls PROFILE` lists the messages with their ids")
    })?;
    let id = Prefix::parse(id)?;
    opened(chosen, (&args.state, false), ctx, |archive| {
        let found = archive.named(id)?;
        if args.raw {
            return raw(archive, &found);
        }
        let bytes = archive.bytes(&found, MOST)?;
        let view = view::view(&bytes);
        if let Some(dir) = &args.save_attachments {
            return saved(&bytes, &view, dir);
        }
        match ctx.json {
            true => out::print(&format!("{}\n", json_line(&as_json(&found, &view))))?,
            false => out::write(|to| print(to, &found.message, &view))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn raw(archive: &Archive<'_>, found: &Found) -> Result<ExitCode> {
    let mut content = archive.open(found).map_err(|why| found.unreadable(why))?;
    out::write(|to| std::io::copy(&mut content, to).map(drop))?;
    Ok(ExitCode::SUCCESS)
}

fn saved(bytes: &[u8], view: &View, dir: &std::path::Path) -> Result<ExitCode> {
    let run = RunId::new(System.now(), u128::from(std::process::id()));
    let saved = save_attachments(bytes, view, dir, run)?;
    for file in &saved.files {
        let path = dir.join(file);
        out::say(&show(path.as_os_str().as_encoded_bytes()));
    }
    for failure in &saved.failures.list {
        out::warn(&format!("{}: {}", failure.path, failure.cause));
    }
    for note in &view.unseen {
        out::warn(&format!("not all may be saved: {note}"));
    }
    if !view.unseen.is_empty() {
        out::warn("  hint: a mail program finds what else is in it: archive show --raw > letter.eml");
    } else if view.attachments.is_empty() {
        out::say("the message has no attachments");
    }
    Ok(ExitCode::from(u8::from(saved.failures.errors > 0 || !view.unseen.is_empty())))
}

fn print(to: &mut dyn Write, message: &Stored, view: &View) -> std::io::Result<()> {
    for (name, value) in &view.headers {
        writeln!(to, "{:<11} {value}", format!("{name}:"))?;
    }
    let (place, marks) = (&message.place, &message.marks);
    let folder = show(format!("{}/{}", place.account, place.folder).as_bytes());
    writeln!(to, "{:<11} {folder}, came {}, {}", "In:", table::when(place.date), size(message.size))?;
    let words = [("Flags:", &marks.flags, " "), ("Labels:", &marks.labels, ", ")];
    for (name, words, by) in words.into_iter().filter(|(_, words, _)| !words.is_empty()) {
        writeln!(to, "{name:<11} {}", clean::line(&words.join(by), 1000))?;
    }
    writeln!(to, "\n{}", view.text.trim_end())?;
    if !view.attachments.is_empty() {
        writeln!(to, "\nAttachments:")?;
    }
    for attachment in &view.attachments {
        writeln!(
            to,
            "  {:<6} {:>10}  {}  {}",
            attachment.part,
            size(attachment.size),
            attachment.name,
            attachment.kind
        )?;
    }
    for note in view.notes.iter().chain(&view.unseen) {
        writeln!(to, "\n{note}")?;
    }
    Ok(())
}

fn as_json(found: &Found, view: &View) -> serde_json::Value {
    let attachment = |one: &view::Attachment| json!({ "part": one.part, "name": one.name, "file": one.file, "type": one.kind, "bytes": one.size });
    let mut value = super::as_json(found);
    if let Some(object) = value.as_object_mut() {
        let headers: serde_json::Map<_, _> =
            view.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        object.insert("headers".into(), headers.into());
        object.insert("text".into(), json!(view.text));
        object.insert("attachments".into(), view.attachments.iter().map(attachment).collect());
        object.insert("notes".into(), view.notes.iter().chain(&view.unseen).cloned().collect());
    }
    value
}
