//! Servers that follow a script, written as the RFCs write dialogues: what the client must say (`C:`), and what it is
//! told (`S:`).
//!
//! A command's tag is a capital letter, which stands for whatever tag the client uses. Besides there are:
//!
//! ```text
//! S- words            without a line end; \r and \n stand for their bytes
//! xs 5                five times the letter x
//! cut                 hangs up
//! next                hangs up, and goes on with the next connection
//! stall               says nothing more, until the client hangs up
//! drip                says a letter now and then, until the client hangs up
//! flood words         says this line for ever, until the client hangs up
//! ```

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use postkeep::mail::imap::{Dialer, Patience, Session};
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::{Imap, Limits, Login, Proof, SecretSource, Tls};

/// The password of the scripts.
pub const SECRET: &str = "secret";

/// A server for one connection.
pub struct Script {
    port: u16,
    thread: JoinHandle<Result<(), String>>,
}

impl Script {
    /// Plays a script.
    pub fn play(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines: Vec<String> = text.lines().map(|line| line.trim_start().to_owned()).collect();
        let thread = std::thread::spawn(move || {
            lines.split(|line| line == "next").try_for_each(|lines| {
                let (stream, _) = listener.accept().unwrap();
                // A client that hangs must not hang the tests.
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
                Player { line: BufReader::new(stream), tags: HashMap::new() }.play(lines)
            })
        });
        Self { port, thread }
    }

    /// An account at this server.
    pub fn account(&self) -> Imap {
        account(self.port)
    }

    /// Waits for the end, when the client has hung up. Panics if something was not as written.
    pub fn end(self) {
        if let Err(why) = self.thread.join().unwrap() {
            panic!("{why}");
        }
    }
}

/// An account at a port of this machine.
pub fn account(port: u16) -> Imap {
    Imap {
        preset: None,
        host: "127.0.0.1".into(),
        port,
        tls: Tls::None,
        ca_file: None,
        login: Login {
            user: "ann".into(),
            secret: SecretSource::Env("UNUSED".into()),
            proof: Proof::Password,
        },
        limits: Limits::default(),
    }
}

/// The secret of the scripts.
pub fn secret() -> Secret {
    secret::fetch(&SecretSource::Command(format!("echo {SECRET}"))).unwrap()
}

/// Little patience.
pub fn patience() -> Patience {
    Patience { connect: Duration::from_millis(1500), silence: Duration::from_millis(1500) }
}

/// A script up to the password, and how the server takes it: the command's tag is B.
pub fn login(answer: &str) -> String {
    format!(
        "S: * OK ready
        C: A CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
        S: A OK done
        C: B AUTHENTICATE PLAIN
        S: +
        C: AGFubgBzZWNyZXQ=
        {answer}"
    )
}

/// A session that is logged in at a server with these capabilities, and what is said then.
pub fn session(offers: &str, text: &str) -> (Session, Script) {
    session_with(patience(), offers, text)
}

/// The same, with this patience.
pub fn session_with(patience: Patience, offers: &str, text: &str) -> (Session, Script) {
    let script = Script::play(&login(&format!(
        "S: B OK welcome
        C: C CAPABILITY
        S: * CAPABILITY IMAP4rev1 {offers}
        S: C OK done
        {text}"
    )));
    let session = Dialer::new(script.account(), secret()).patience(patience).open();
    match session {
        Ok(session) => (session, script),
        Err(fault) => {
            script.end();
            panic!("{:?}", fault.error);
        }
    }
}

struct Player {
    line: BufReader<TcpStream>,
    tags: HashMap<char, String>,
}

impl Player {
    fn play(mut self, lines: &[String]) -> Result<(), String> {
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "C:" => self.hear(rest)?,
                "S:" => self.say(&format!("{}\r\n", self.tagged(rest)))?,
                "S-" => self.say(&self.tagged(rest).replace("\\r", "\r").replace("\\n", "\n"))?,
                "xs" => {
                    // So much may be more than the client wants to hear.
                    if self.say(&"x".repeat(rest.parse().unwrap())).is_err() {
                        return Ok(());
                    }
                }
                "cut" => return Ok(()),
                "stall" => {
                    // To hang up while something is unread resets the connection.
                    return match self.line.read_to_end(&mut Vec::new()) {
                        Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                            Err("the client waits for ever".into())
                        }
                        _ => Ok(()),
                    };
                }
                "drip" => {
                    for _ in 0..400 {
                        std::thread::sleep(Duration::from_millis(50));
                        if self.say("x").is_err() {
                            return Ok(());
                        }
                    }
                    return Err("the client waits for ever".into());
                }
                "flood" => {
                    let many = format!("{rest}\r\n").repeat(10_000);
                    for _ in 0..10_000 {
                        if self.say(&many).is_err() {
                            return Ok(());
                        }
                    }
                    return Err("the client drinks it all".into());
                }
                "" => {}
                _ => return Err(format!("the script has a line that is none: {line}")),
            }
        }
        let mut more = String::new();
        match self.line.read_to_string(&mut more) {
            Ok(_) if more.is_empty() => Ok(()),
            Ok(_) => Err(format!("the client says more: {more}")),
            Err(cause) => Err(format!("the client does not hang up: {cause}")),
        }
    }

    fn hear(&mut self, expected: &str) -> Result<(), String> {
        let mut bytes = Vec::new();
        let read = self.line.read_until(b'\n', &mut bytes);
        read.map_err(|cause| format!("waited for {expected}: {cause}"))?;
        let said = String::from_utf8_lossy(&bytes).into_owned();
        let Some(said) = said.strip_suffix("\r\n") else {
            return Err(format!("waited for {expected}, and the client hung up after {said:?}"));
        };
        let (tag, rest) = expected.split_once(' ').unwrap_or((expected, ""));
        let mut letters = tag.chars();
        if let (Some(letter @ 'A'..='Z'), None) = (letters.next(), letters.next()) {
            let (tag, said) = said.split_once(' ').unwrap_or((said, ""));
            self.tags.insert(letter, tag.to_owned());
            return same(rest, said);
        }
        same(expected, said)
    }

    fn tagged(&self, text: &str) -> String {
        let (tag, rest) = text.split_once(' ').unwrap_or((text, ""));
        match tag.chars().next().filter(|_| tag.len() == 1).and_then(|letter| self.tags.get(&letter)) {
            Some(tag) => format!("{tag} {rest}"),
            None => text.to_owned(),
        }
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        self.line
            .get_mut()
            .write_all(text.as_bytes())
            .map_err(|cause| format!("cannot say {text:.80}: {cause}"))
    }
}

fn same(expected: &str, said: &str) -> Result<(), String> {
    match expected == said {
        true => Ok(()),
        false => Err(format!("waited for {expected:?}, and the client said {said:?}")),
    }
}
