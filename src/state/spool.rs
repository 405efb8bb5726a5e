//! The log of a run at work: a file of lines in zstd that can be read up to its last flush, whatever happens.
//!
//! A run writes to no database while it works; its log goes to `spool/<run>.log.zst`. About every 64 KiB, and
//! whenever the caller asks for it, the lines so far are written as one zstd frame with a checksum: a decoder gives
//! out a whole frame before it looks at the next, so a run that is killed leaves everything up to the last flush.
//! At the end the file moves into the history.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::private;
use crate::error::{Context, Result};
use crate::run::RunId;

/// How much is collected before it is written, in bytes. With a last line of the same length it is still one block of
/// zstd, which decodes as a whole or not at all.
const BLOCK: usize = 64 << 10;

/// What the name of a spool ends with.
const SUFFIX: &str = ".log.zst";

/// The folder of the spools below the state folder.
pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("spool")
}

/// The log of a run at work. After the first error of the disk further lines are dropped: a log that cannot be
/// written does not stop a run.
pub struct LogSpool {
    path: PathBuf,
    // None after an error.
    to: Option<File>,
    packer: zstd::bulk::Compressor<'static>,
    lines: Vec<u8>,
    flushed: Timestamp,
}

/// A log that is no longer written. [`super::History::finish`] moves it into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    pub(super) path: PathBuf,
    // Without its end: killed, or the disk failed.
    pub(super) torn: bool,
}

impl Spooled {
    /// Where it lies until it is recorded, for [`recover`].
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl LogSpool {
    /// Begins the log of run `id` in the folder `dir`, which is made if need be.
    ///
    /// # Errors
    /// The file cannot be made, or the run has a log already.
    pub fn create(dir: &Path, id: RunId, now: Timestamp) -> Result<Self> {
        private::make(dir)?;
        let path = dir.join(format!("{id}{SUFFIX}"));
        let failed = || format!("cannot make the log {}", path.display());
        let mut packer = zstd::bulk::Compressor::new(1).context(failed)?;
        packer.include_checksum(true).context(failed)?;
        let to = private::new_file(&path).context(failed)?;
        Ok(Self { path, to: Some(to), packer, lines: Vec::new(), flushed: now })
    }

    /// Adds a line; its end is added.
    ///
    /// # Errors
    /// The disk failed, told once.
    pub fn line(&mut self, line: &str) -> Result<()> {
        if self.to.is_none() {
            return Ok(());
        }
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.push(b'\n');
        if self.lines.len() < BLOCK { Ok(()) } else { self.write() }
    }

    /// Writes what was added so far, so that another process can read it and a kill does not lose it.
    ///
    /// # Errors
    /// The disk failed, told once.
    pub fn flush(&mut self, now: Timestamp) -> Result<()> {
        self.flushed = now;
        if self.lines.is_empty() { Ok(()) } else { self.write() }
    }

    /// Flushes if the last such flush was `age` or longer ago, or in the future of a clock that was put back.
    ///
    /// # Errors
    /// The disk failed, told once.
    pub fn flush_if_older(&mut self, now: Timestamp, age: SignedDuration) -> Result<()> {
        let past = now.duration_since(self.flushed);
        if past >= age || past.is_negative() { self.flush(now) } else { Ok(()) }
    }

    /// Ends the log. What an error leaves out is only the end: the log is still worth keeping.
    pub fn finish(mut self) -> Spooled {
        let whole = self.lines.is_empty() || self.write().is_ok();
        Spooled { torn: !whole || self.to.is_none(), path: self.path }
    }

    fn write(&mut self) -> Result<()> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let written = self.packer.compress(&self.lines).and_then(|frame| to.write_all(&frame));
        self.lines.clear();
        if written.is_err() {
            self.to = None;
        }
        written.context(|| format!("cannot write the log {}", self.path.display()))
    }
}

/// Reads a log that may have lost its end: whole lines up to where it is torn, without a word about the rest. (Of a
/// line longer than 64 KiB the tear may leave the beginning.)
///
/// # Errors
/// The file cannot be opened.
pub fn recover(path: &Path) -> Result<impl BufRead + use<>> {
    let failed = || format!("cannot read the log {}", path.display());
    let file = File::open(path).context(failed)?;
    let lines = zstd::Decoder::new(file).context(failed)?;
    Ok(BufReader::new(UntilTorn { lines: Some(lines) }))
}

/// A reader for which an error is the end.
struct UntilTorn<R> {
    lines: Option<R>,
}

impl<R: Read> Read for UntilTorn<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let Some(lines) = &mut self.lines else { return Ok(0) };
        match lines.read(to) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                self.lines = None;
                Ok(0)
            }
            result => result,
        }
    }
}

/// The log that a run left behind when it was killed, if it left one.
pub(super) fn left_by(dir: &Path, id: RunId) -> Result<Option<Spooled>> {
    let path = dir.join(format!("{id}{SUFFIX}"));
    Ok(private::exists(&path)?.then_some(Spooled { path, torn: true }))
}

/// Removes the spools whose run `is_over`, and tells how many. Other files are left alone.
pub(super) fn sweep(dir: &Path, mut is_over: impl FnMut(RunId) -> Result<bool>) -> Result<u64> {
    let failed = || format!("cannot tidy up the folder {}", dir.display());
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries.context(failed)?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.context(failed)?;
        let id = entry.file_name().to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
        if let Some(id) = id
            && is_over(id)?
        {
            removed += u64::from(fs::remove_file(entry.path()).is_ok());
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, id};
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        recover(path).unwrap().lines().map(Result::unwrap).collect()
    }

    /// Numbers that do not repeat soon, without a clock.
    fn random(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    #[test]
    fn a_log_cut_anywhere_keeps_whole_lines_and_everything_that_was_flushed() {
        let temp = tempfile::tempdir().unwrap();
        let mut spool = LogSpool::create(temp.path(), id(1), at(0)).unwrap();
        let path = spool.path.clone();
        let mut seed = 7;
        let all: Vec<String> = (0..12_000).map(|n| format!("{n} {:x}", random(&mut seed))).collect();
        // (bytes on disk, lines flushed by then)
        let mut flushed = vec![(0, 0)];
        for (n, line) in all.iter().enumerate() {
            spool.line(line).unwrap();
            if n % 5_000 == 4_999 {
                spool.flush(at(1)).unwrap();
                flushed.push((fs::metadata(&path).unwrap().len(), n + 1));
            }
        }
        // Killed: no end is written.
        drop(spool);
        let bytes = fs::read(&path).unwrap();
        assert!(lines(&path).len() >= 10_000);
        for _ in 0..150 {
            let cut = random(&mut seed) % (bytes.len() as u64 + 1);
            let at_least = flushed.iter().rev().find(|(size, _)| *size <= cut).unwrap().1;
            // A power cut may also leave zeros where bytes were promised.
            let zeros = vec![0; (random(&mut seed) % 3 * 1000) as usize];
            fs::write(&path, [&bytes[..usize::try_from(cut).unwrap()], &zeros].concat()).unwrap();
            let found = lines(&path);
            assert!(found.len() >= at_least, "cut at {cut}: {} of {at_least}", found.len());
            assert_eq!(found, all[..found.len()], "cut at {cut}");
        }
    }

    #[test]
    fn lines_reach_the_disk_when_asked_for() {
        let temp = tempfile::tempdir().unwrap();
        let mut spool = LogSpool::create(temp.path(), id(1), at(0)).unwrap();
        let path = spool.path.clone();
        spool.line("one").unwrap();
        spool.flush_if_older(at(4), SignedDuration::from_secs(5)).unwrap();
        assert!(lines(&path).is_empty());
        spool.flush_if_older(at(5), SignedDuration::from_secs(5)).unwrap();
        assert_eq!(lines(&path), ["one"]);
        spool.line("two").unwrap();
        spool.flush_if_older(at(2), SignedDuration::from_secs(5)).unwrap();
        assert_eq!(lines(&path), ["one", "two"]);
        let spooled = spool.finish();
        assert_eq!(spooled, Spooled { path, torn: false });
        assert!(LogSpool::create(temp.path(), id(1), at(0)).is_err());
    }

    #[test]
    fn a_full_disk_is_told_once_and_keeps_what_was_written() {
        let temp = tempfile::tempdir().unwrap();
        let mut spool = LogSpool::create(temp.path(), id(1), at(0)).unwrap();
        spool.line("one").unwrap();
        spool.flush(at(1)).unwrap();
        spool.to = Some(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        spool.line("two").unwrap();
        let error = spool.flush(at(2)).unwrap_err();
        assert!(error.one_line().contains(&spool.path.display().to_string()), "{error:?}");
        spool.line("three").unwrap();
        spool.flush(at(3)).unwrap();
        let spooled = spool.finish();
        assert!(spooled.torn);
        assert_eq!(lines(&spooled.path), ["one"]);
    }
}
