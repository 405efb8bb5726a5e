//! Reads the agent's log, also while it is written.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{EARLIER, NAME};
use crate::entry::show;
use crate::error::{Context, Result};

/// Reads the agent's log line by line, and goes on where it ended, over a change of files too. It needs no agent, and
/// no log: one that is made later is read from its beginning.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    earlier: PathBuf,
    from: Option<File>,
    /// The beginning of a line whose end is not written yet.
    rest: Vec<u8>,
}

impl Reader {
    /// The log in a state folder; its last lines are read first.
    ///
    /// # Errors
    /// A file of it cannot be read.
    pub fn open(state_dir: &Path, lines: usize) -> Result<(Self, Vec<String>)> {
        let mut reader = Self {
            path: state_dir.join(NAME),
            earlier: state_dir.join(EARLIER),
            from: open(&state_dir.join(NAME))?,
            rest: Vec::new(),
        };
        // In this order: should the file be renamed in between, it is the one that is open already.
        let earlier = open(&reader.earlier)?.filter(|earlier| !reader.is(earlier));
        let mut last = VecDeque::new();
        let mut keep = |found: Vec<String>| {
            for line in found {
                last.push_back(line);
                if last.len() > lines {
                    last.pop_front();
                }
            }
        };
        if let Some(mut file) = earlier {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).context(|| format!("cannot read {}", reader.earlier.display()))?;
            keep(take_lines(&mut bytes));
        }
        keep(reader.rest()?);
        Ok((reader, last.into()))
    }

    /// Whether there is a log.
    pub fn exists(&self) -> bool {
        self.from.is_some() || self.earlier.exists()
    }

    /// The lines that were added since.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn more(&mut self) -> Result<Vec<String>> {
        let mut lines = self.rest()?;
        let there = open(&self.path)?;
        if there.as_ref().is_some_and(|there| !self.is(there)) {
            // Between the two looks a last line may have come.
            lines.extend(self.rest()?);
            self.from = there;
            self.rest.clear();
            lines.extend(self.rest()?);
        }
        Ok(lines)
    }

    fn is(&self, other: &File) -> bool {
        let id = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        self.from.as_ref().is_some_and(|file| id(file) == id(other))
    }

    /// What is left of the open file.
    fn rest(&mut self) -> Result<Vec<String>> {
        let Some(file) = &mut self.from else { return Ok(Vec::new()) };
        let read = |file: &mut File, to: &mut Vec<u8>| {
            // Somebody emptied the file: what is written now begins at the front again.
            if file.stream_position()? > file.metadata()?.len() {
                file.seek(SeekFrom::Start(0))?;
            }
            file.read_to_end(to)
        };
        read(file, &mut self.rest).context(|| format!("cannot read {}", self.path.display()))?;
        Ok(take_lines(&mut self.rest))
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    // A pipe of that name would hold us up for ever.
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Ok(None),
        _ => {}
    }
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).context(|| format!("cannot read {}", path.display())),
    }
}

/// Takes the whole lines out; what has no end yet stays.
fn take_lines(bytes: &mut Vec<u8>) -> Vec<String> {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let whole: Vec<u8> = bytes.drain(..end).collect();
    let lines = whole.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(harmless).collect()
}

/// The line as it was written; one that is not ours is made harmless.
fn harmless(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) if show(line) == text.replace('\\', "\\\\") => text.to_owned(),
        _ => show(line),
    }
}
