//! Logs in the history: the compressed file of the spool, cut into rows, and back again as lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};

use rusqlite::{Connection, OptionalExtension};

use super::History;
use super::db::Fault;
use super::spool::{self, LogSpool, Spooled};
use crate::error::{Context, Result};
use crate::run::RunId;

/// Bytes of one row.
const CHUNK: usize = 1 << 20;

impl<'s> History<'s> {
    /// Begins the log of a run. The run must have begun: a spool without a run at work is swept away.
    ///
    /// # Errors
    /// The file cannot be made, or the run has a log already.
    pub fn spool(&self, id: RunId, now: jiff::Timestamp) -> Result<LogSpool> {
        LogSpool::create(&spool::folder(self.dir), id, now)
    }

    /// The log that run `id` left behind when it was killed, for [`History::finish`]; None if it left none.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn left_by(&self, id: RunId) -> Result<Option<Spooled>> {
        spool::left_by(&spool::folder(self.dir), id)
    }

    /// Removes spools whose run is not at work, as a kill right after [`History::finish`] leaves them; tells how
    /// many.
    ///
    /// # Errors
    /// The folder or the database cannot be read.
    pub fn sweep_spools(&self) -> Result<u64> {
        spool::sweep(&spool::folder(self.dir), |id| {
            self.db.read("look for a run at work", |db| {
                let sql = "SELECT 1 FROM run WHERE id = ?1 AND status = 'running'";
                Ok(!db.prepare_cached(sql)?.exists([id.to_string()])?)
            })
        })
    }

    /// The log of a finished run, line by line; None if it has none (any more). Memory stays at a few MiB.
    ///
    /// # Errors
    /// The database cannot be read. What goes wrong later is an error of the reader.
    pub fn log(&self, id: RunId) -> Result<Option<Box<dyn BufRead + 's>>> {
        let db = self.db;
        let mut from =
            Chunks { db: db.read("read a log", Ok)?, run: id.to_string(), seq: 0, data: Vec::new(), at: 0 };
        let found = from.fill_buf().context(|| format!("cannot read the log of run {id}"))?;
        if found.is_empty() {
            return Ok(None);
        }
        let lines =
            zstd::Decoder::with_buffer(from).context(|| format!("cannot read the log of run {id}"))?;
        Ok(Some(Box::new(BufReader::new(lines))))
    }
}

/// Moves a spool into the rows of run `id`. A torn one is read as far as it goes and written anew, with an end.
pub(super) fn store(tx: &Connection, id: RunId, log: &Spooled) -> Result<(), Fault> {
    let mut rows = Rows { tx, run: id.to_string(), seq: 0, data: Vec::with_capacity(CHUNK) };
    let copied = if log.torn {
        let mut lines = spool::recover(&log.path)?;
        zstd::Encoder::new(&mut rows, 1).and_then(|mut to| {
            io::copy(&mut lines, &mut to)?;
            to.finish().map(drop)
        })
    } else {
        File::open(&log.path).and_then(|mut file| io::copy(&mut file, &mut rows)).map(drop)
    };
    let stored = copied.and_then(|()| rows.insert());
    Ok(stored.context(|| format!("cannot keep the log {}", log.path.display()))?)
}

/// Removes a spool that was stored. If that fails it is swept away later.
pub(super) fn remove(log: &Spooled) {
    let _ = fs::remove_file(&log.path);
}

/// Cuts what is written into rows.
struct Rows<'t> {
    tx: &'t Connection,
    run: String,
    seq: i64,
    data: Vec<u8>,
}

impl Rows<'_> {
    fn insert(&mut self) -> io::Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO run_log (run, seq, data) VALUES (?1, ?2, ?3)";
        let mut insert = self.tx.prepare_cached(sql).map_err(io::Error::other)?;
        insert.execute((&self.run, self.seq, &self.data)).map_err(io::Error::other)?;
        self.seq += 1;
        self.data.clear();
        Ok(())
    }
}

impl Write for Rows<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = bytes.len().min(CHUNK - self.data.len());
        self.data.extend_from_slice(&bytes[..size]);
        if self.data.len() == CHUNK {
            self.insert()?;
        }
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads rows one after the other.
struct Chunks<'s> {
    db: &'s Connection,
    run: String,
    seq: i64,
    data: Vec<u8>,
    at: usize,
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.data.len() {
            let sql = "SELECT data FROM run_log WHERE run = ?1 AND seq = ?2";
            let mut select = self.db.prepare_cached(sql).map_err(io::Error::other)?;
            let next = select.query_row((&self.run, self.seq), |row| row.get(0)).optional();
            self.data = next.map_err(io::Error::other)?.unwrap_or_default();
            self.at = 0;
            self.seq += 1;
        }
        Ok(&self.data[self.at..])
    }

    fn consume(&mut self, size: usize) {
        self.at += size;
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let size = self.fill_buf()?.read(to)?;
        self.consume(size);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, at, begun, id};
    use super::*;

    #[test]
    fn a_log_of_many_rows_comes_back_as_it_was() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        history.begin(&begun("docs", 1)).unwrap();
        let mut spool = history.spool(id(1), at(1)).unwrap();
        // Hashes do not compress: the log is cut into several rows.
        let line = |n: u32| format!("{n} {}", blake3::hash(&n.to_le_bytes()).to_hex());
        for n in 0..60_000 {
            spool.line(&line(n)).unwrap();
        }
        let spooled = spool.finish();
        fixture.finish(1, Some(&spooled)).unwrap();
        assert!(!spooled.path.exists());
        assert!(fixture.number("SELECT count(*) FROM run_log") > 1);
        let mut count = 0;
        for (n, found) in history.log(id(1)).unwrap().unwrap().lines().enumerate() {
            assert_eq!(found.unwrap(), line(u32::try_from(n).unwrap()));
            count += 1;
        }
        assert_eq!(count, 60_000);
        assert!(history.log(id(2)).unwrap().is_none());
    }

    #[test]
    fn the_log_of_a_killed_run_is_kept_as_far_as_it_goes() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        history.begin(&begun("docs", 1)).unwrap();
        let mut spool = history.spool(id(1), at(1)).unwrap();
        spool.line("seen").unwrap();
        spool.flush(at(2)).unwrap();
        spool.line("lost").unwrap();
        drop(spool);
        assert_eq!(history.sweep_spools().unwrap(), 0);
        let spooled = history.left_by(id(1)).unwrap().unwrap();
        fixture.finish(1, Some(&spooled)).unwrap();
        let lines: Vec<_> = history.log(id(1)).unwrap().unwrap().lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["seen"]);
        assert_eq!(history.left_by(id(1)).unwrap(), None);
    }

    #[test]
    fn spools_of_runs_that_are_over_are_swept_away() {
        let fixture = Fixture::new();
        let history = fixture.state.history();
        for n in 1..=2 {
            history.begin(&begun("docs", n)).unwrap();
            drop(history.spool(id(n), at(1)).unwrap());
        }
        fixture.finish(1, None).unwrap();
        let other = spool::folder(fixture.dir()).join("notes.txt");
        fs::write(&other, "mine").unwrap();
        assert_eq!(history.sweep_spools().unwrap(), 1);
        assert_eq!(history.left_by(id(1)).unwrap(), None);
        assert!(history.left_by(id(2)).unwrap().is_some() && other.exists());
    }
}
