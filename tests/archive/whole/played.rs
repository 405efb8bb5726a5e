//! A mail server that is played: as much of IMAP as an archive speaks, and whatever may go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use super::Archive;
use crate::common::Sandbox;
use crate::imap::script;

/// A folder.
#[derive(Default, Clone)]
pub struct Folder {
    /// What it is for, such as `\All`.
    pub special: &'static str,
    pub validity: u32,
    pub messages: BTreeMap<u32, Vec<u8>>,
    pub labels: BTreeMap<u32, &'static str>,
    /// UIDs that it does not give.
    pub refused: BTreeSet<u32>,
}

/// What is done to the mailbox while it is read.
type Act = Box<dyn FnOnce(&mut Mailbox) + Send>;

/// The mailbox, and how the server behaves.
#[derive(Default)]
pub struct Mailbox {
    pub folders: BTreeMap<String, Folder>,
    pub gmail: bool,
    /// Each session ends after so many bodies.
    pub expires: Option<u64>,
    /// After so many bodies it is enough for today.
    pub budget: Option<u64>,
    /// How many bodies were given.
    pub given: u64,
    /// After so many bodies the connection ends, and this is done.
    pub turn: Option<(u64, Act)>,
    /// Folders that nobody may open.
    pub closed: BTreeSet<String>,
    /// UIDs that are left out where messages are described, though they are there.
    pub mute: BTreeSet<u32>,
    /// What is done when the folders were listed.
    pub listed: Option<Act>,
}

impl Mailbox {
    /// Puts messages into a folder, from UID 1 on.
    pub fn fill(&mut self, folder: &str, validity: u32, messages: Vec<Vec<u8>>) -> &mut Folder {
        let messages = (1..).zip(messages).collect();
        self.folders.insert(folder.into(), Folder { validity, messages, ..Folder::default() });
        self.folders.get_mut(folder).unwrap()
    }
}

/// The server.
pub struct Played {
    pub port: u16,
    mailbox: Arc<Mutex<Mailbox>>,
}

impl Played {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mailbox = Arc::<Mutex<Mailbox>>::default();
        let own = Arc::clone(&mailbox);
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let own = Arc::clone(&own);
                std::thread::spawn(move || serve(&own, stream.unwrap()));
            }
        });
        Self { port, mailbox }
    }

    pub fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap()
    }

    /// A sandbox that archives it.
    pub fn archive(&self, more: &str) -> Archive {
        let archive = Archive { sandbox: Sandbox::new(), account: script::account(self.port) };
        archive.secret("secret", script::SECRET);
        archive.secret("vault-password", super::VAULT_PASSWORD);
        archive.through(self.port);
        archive.profile("imap:box", more);
        archive.run(&["vault", "init", "mail"]).expect(0);
        archive
    }
}

fn serve(mailbox: &Mutex<Mailbox>, stream: TcpStream) {
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream);
    out.write_all(b"* OK ready\r\n").unwrap();
    let (mut open, mut session) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let (tag, command) = line.trim_end().split_once(' ').unwrap();
        let (said, hangs_up) = answer(&mut mailbox.lock().unwrap(), tag, command, &mut open, &mut session);
        if out.write_all(&said).is_err() || hangs_up {
            // What was said shall be read: so nothing may be unread here.
            let _ = out.shutdown(Shutdown::Write);
            let _ = lines.read_to_end(&mut Vec::new());
            return;
        }
    }
}

/// What is said, and whether it hangs up then.
fn answer(
    mailbox: &mut Mailbox,
    tag: &str,
    command: &str,
    open: &mut String,
    session: &mut u64,
) -> (Vec<u8>, bool) {
    let mut said = match command.split(' ').next().unwrap() {
        "CAPABILITY" => {
            let gmail = if mailbox.gmail { " X-GM-EXT-1" } else { "" };
            format!("* CAPABILITY IMAP4rev1 LIST-STATUS SPECIAL-USE{gmail}\r\n")
        }
        "LIST" if command.contains("\"*\"") => {
            let one = |(name, folder): (&String, &Folder)| {
                let next = folder.messages.keys().last().unwrap_or(&0) + 1;
                format!(
                    "* LIST ({}) \"/\" \"{name}\"\r\n\
                     * STATUS \"{name}\" (MESSAGES {} UIDNEXT {next} UIDVALIDITY {})\r\n",
                    folder.special,
                    folder.messages.len(),
                    folder.validity
                )
            };
            let said = mailbox.folders.iter().map(one).collect();
            if let Some(listed) = mailbox.listed.take() {
                listed(mailbox);
            }
            said
        }
        "LIST" => "* LIST (\\Noselect) \"/\" \"\"\r\n".into(),
        "LOGIN" | "NOOP" | "LOGOUT" => String::new(),
        "EXAMINE" => {
            *open = command.split('"').nth(1).unwrap().to_owned();
            if mailbox.closed.contains(open) {
                return (format!("{tag} NO [NOPERM] not for you\r\n").into_bytes(), false);
            }
            let Some(folder) = mailbox.folders.get(open) else {
                return (format!("{tag} NO [NONEXISTENT] there is no such folder\r\n").into_bytes(), false);
            };
            let next = folder.messages.keys().last().unwrap_or(&0) + 1;
            format!(
                "* {} EXISTS\r\n* OK [UIDVALIDITY {}] ok\r\n* OK [UIDNEXT {next}] ok\r\n",
                folder.messages.len(),
                folder.validity
            )
        }
        "UID" => return fetch(mailbox, tag, command, open, session),
        other => panic!("{other}"),
    };
    said.push_str(&format!("{tag} OK done\r\n"));
    (said.into_bytes(), false)
}

fn fetch(mailbox: &mut Mailbox, tag: &str, command: &str, open: &str, session: &mut u64) -> (Vec<u8>, bool) {
    let mut said = Vec::new();
    let bodies = command.contains("BODY.PEEK[])");
    let mut end = "OK done";
    let folder = mailbox.folders.get(open).cloned().unwrap_or_default();
    for uid in wanted(command.split(' ').nth(2).unwrap(), &folder) {
        let message = &folder.messages[&uid];
        let mut say = |text: String| said.extend_from_slice(text.as_bytes());
        if !bodies {
            if command.contains("SIZE") && mailbox.mute.contains(&uid) {
                continue;
            }
            let head = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4);
            say(format!("* {uid} FETCH (UID {uid} FLAGS (\\Seen)"));
            if command.contains("INTERNALDATE") {
                let date = jiff::Timestamp::from_second(1_700_000_000 + 60 * number(message)).unwrap();
                let date = date.to_zoned(jiff::tz::TimeZone::UTC).strftime("%d-%b-%Y %H:%M:%S %z");
                say(format!(" INTERNALDATE \"{date}\""));
            }
            if command.contains("SIZE") {
                say(format!(" RFC822.SIZE {}", message.len()));
                if mailbox.gmail {
                    let labels = folder.labels.get(&uid).copied().unwrap_or_default();
                    let id = 1000 + u64::from(uid);
                    say(format!(" X-GM-MSGID {id} X-GM-THRID {id} X-GM-LABELS ({labels})"));
                }
                say(format!(
                    " BODY[HEADER.FIELDS (MESSAGE-ID FROM X-POSTKEEP-OBJECT X-POSTKEEP-FILE)] {{{head}}}\r\n"
                ));
                said.extend_from_slice(&message[..head]);
            }
            said.extend_from_slice(b")\r\n");
            continue;
        }
        if mailbox.budget.is_some_and(|budget| mailbox.given >= budget) {
            end = "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)";
            break;
        }
        if folder.refused.contains(&uid) {
            end = "NO [CANNOT] this one is broken";
            continue;
        }
        if mailbox.expires.is_some_and(|most| *session >= most) {
            said.extend_from_slice(b"* BYE Session expired, please login again.\r\n");
            return (said, true);
        }
        if mailbox.turn.as_ref().is_some_and(|(at, _)| mailbox.given >= *at) {
            let (_, turn) = mailbox.turn.take().unwrap();
            turn(mailbox);
            return (said, true);
        }
        (mailbox.given, *session) = (mailbox.given + 1, *session + 1);
        say(format!("* {uid} FETCH (UID {uid} BODY[] {{{}}}\r\n", message.len()));
        said.extend_from_slice(message);
        said.extend_from_slice(b")\r\n");
    }
    said.extend_from_slice(format!("{tag} {end}\r\n").as_bytes());
    (said, false)
}

/// The number of a letter: it came so many minutes after the first.
fn number(message: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(message);
    let id = text.split_once("Message-ID: <").and_then(|(_, rest)| rest.split('@').next());
    id.and_then(|id| id.parse().ok()).unwrap_or_default()
}

/// The UIDs of a set that are there.
fn wanted(set: &str, folder: &Folder) -> Vec<u32> {
    let mut uids = BTreeSet::new();
    for range in set.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let to = if to == "*" { u32::MAX } else { to.parse().unwrap() };
        uids.extend(folder.messages.range(from.parse().unwrap()..=to).map(|(uid, _)| *uid));
    }
    uids.into_iter().collect()
}
