//! `postkeep dump`: one file of a snapshot, to standard output.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;

use super::which::{BARE, Chosen, Which, too_many};
use super::{Context, budget, out, usage};
use crate::entry::Kind;
use crate::error::{Error, Result};
use crate::vault::content::{Content, kind_of};
use crate::vault::{archive, node, snapshot, tree};

/// Write a file of a snapshot to standard output; a folder as a tar archive
#[derive(Debug, Args)]
#[command(override_usage = "postkeep dump [OPTIONS] [PROFILE] SNAPSHOT:PATH", after_help = format!("\
Examples:
  postkeep dump documents latest:/home/ann/letter.odt > letter.odt
  postkeep dump documents 2026-11-01:/home/ann/papers | tar -t
  postkeep dump documents latest:/etc/fstab | diff - /etc/fstab

{BARE}

Exit codes: 0 done, 1 it cannot be read as a whole, 2 usage, 3 paused by a provider's budget, 10 no vault, 12 wrong password."))]
pub(crate) struct DumpArgs {
    /// The profile, and what to write
    #[arg(value_name = "PROFILE] [SNAPSHOT:PATH")]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn run(args: &DumpArgs, ctx: &Context) -> Result<ExitCode> {
    let done = args.which.with(&args.words, ctx, dumped);
    done.map_err(budget::hinted)
}

fn dumped(chosen: &Chosen, words: &[String]) -> Result<ExitCode> {
    too_many(words, 1)?;
    let split = words.first().map(|word| snapshot::split(word));
    let Some((name, Some(path))) = split else {
        return Err(
            usage("nothing to write is named").hint("name it: SNAPSHOT:PATH, such as latest:/etc/fstab")
        );
    };
    let vault = chosen.open()?;
    let all = vault.readable_snapshots()?;
    let snapshot = all.choose(name, &chosen.scope(), &TimeZone::system())?;
    let vault = vault.read()?;
    let (at, found) = tree::at(&vault, snapshot.tree, path.as_bytes())?;
    // What fails while it is read is told as such, and not as an output that cannot be written.
    let mut failed = None;
    let kind = node::kind(&found);
    if kind == Kind::Folder && io::stdout().is_terminal() {
        return Err(usage("a folder comes as a tar archive, which is nothing for a terminal")
            .hint("write it to a file, or into a program: | tar -t"));
    }
    out::write(|mut to| {
        let done = match kind {
            Kind::File => Content::new(&vault, &found)
                .map_err(io::Error::other)
                .and_then(|mut content| io::copy(&mut content, &mut to).map(drop)),
            Kind::Folder => archive::tar(&vault, &found, to),
            _ => Err(io::Error::other(format!("it is a {}", kind.word()))),
        };
        done.or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::StorageFull => Err(error),
            _ => {
                failed = Some(error);
                Ok(())
            }
        })
    })?;
    match failed {
        Some(error) => {
            let kind = kind_of(&error);
            Err(Error::new(kind, format!("cannot write /{at} as a whole")).caused_by(error))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}
