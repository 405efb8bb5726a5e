//! Servers that do what no real one does on request: each plays its part for one connection, in a thread of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server for one connection.
pub struct Fake {
    pub port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Fake {
    /// Plays `part` for the first connection; what it reads through [`Heard`] can be asked for.
    pub fn play(part: impl FnOnce(Heard<TcpStream>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            // A client that hangs must not hang the tests.
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            part(Heard { stream, heard: ear });
        });
        Self { port, heard, thread }
    }

    /// Plays `part` for two connections, one after the other.
    pub fn twice(part: impl Fn(Heard<TcpStream>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            for _ in 0..2 {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                part(Heard { stream, heard: Arc::clone(&ear) });
            }
        });
        Self { port, heard, thread }
    }

    /// A conversation in plain text: see [`converse`].
    pub fn rules(rules: &'static [(&'static str, &'static str)]) -> Self {
        Self::play(move |stream| converse(stream, rules, true))
    }

    /// Everything that the client said, when it has hung up.
    pub fn heard(self) -> String {
        self.thread.join().unwrap();
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

/// A stream that remembers what was read from it.
pub struct Heard<S> {
    pub stream: S,
    pub heard: Arc<Mutex<Vec<u8>>>,
}

impl<S: Read> Read for Heard<S> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buf)?;
        self.heard.lock().unwrap().extend_from_slice(&buf[..read]);
        Ok(read)
    }
}

impl<S: Write> Write for Heard<S> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.stream.write(buf)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

/// Answers as a server does, but for commands that begin as a rule says. The rule of the end of the letter is `.`; an
/// answer `drop` hangs up.
pub fn converse(stream: impl Read + Write, rules: &[(&str, &str)], greet: bool) {
    let mut line = BufReader::new(stream);
    let answer = |command: &str| {
        let rule = rules.iter().find(|(start, _)| command.starts_with(start)).map(|(_, answer)| *answer);
        rule.unwrap_or(match command.split([' ', '\r']).next().unwrap_or_default() {
            "EHLO" => "250-fake.test\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 SIZE 100000",
            "greeting" => "220 fake.test",
            "AUTH" => "235 2.7.0 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        })
    };
    if greet && say(&mut line, answer("greeting")).is_none() {
        return;
    }
    loop {
        let Some(command) = read_line(&mut line) else { return };
        let said = answer(&command);
        if say(&mut line, said).is_none() {
            return;
        }
        if command.starts_with("DATA") && said.starts_with('3') {
            while let Some(text) = read_line(&mut line) {
                if text == ".\r\n" {
                    break;
                }
            }
            if say(&mut line, answer(".")).is_none() {
                return;
            }
        }
    }
}

fn say<S: Read + Write>(line: &mut BufReader<S>, text: &str) -> Option<()> {
    let text = if text == "250 ok" { "250 2.0.0 ok" } else { text };
    if text == "drop" {
        return None;
    }
    line.get_mut().write_all(format!("{text}\r\n").as_bytes()).ok()?;
    line.get_mut().flush().ok()
}

pub fn read_line<S: Read>(line: &mut BufReader<S>) -> Option<String> {
    let mut bytes = Vec::new();
    line.read_until(b'\n', &mut bytes).ok().filter(|read| *read > 0)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
