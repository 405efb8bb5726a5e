//! Real servers for the tests: Dovecot keeps the mailboxes, Postfix takes letters and hands them over by LMTP. They run
//! in one temporary folder, on free ports of the loopback interface, and end with the test process however it ends.

mod certificates;
pub mod cyrus;
mod imap;
pub mod proxy;
mod servers;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use postkeep::profile::{Imap, Limits, Login, Pop3, Proof, SecretSource, Tls};

pub use certificates::{Authority, Identity};

use crate::common::left_out;

/// The password of every user: none that a shell, TOML or base64 has it easy with.
pub const PASSWORD: &str = "s3cr't \"x\" $HOME \\ =+/";

/// The running servers.
pub struct Lab {
    dir: PathBuf,
    /// Ports of Postfix: TLS from the start, STARTTLS, none.
    pub implicit: u16,
    pub starttls: u16,
    pub relay: u16,
    imap: u16,
    imaps: u16,
    pop3: u16,
    pop3s: u16,
    /// Ends with this process, and the servers with it.
    _watch: Child,
}

/// The lab, started at the first call; None where the servers are not installed or may not run.
pub fn get() -> Option<&'static Lab> {
    static LAB: OnceLock<Option<Lab>> = OnceLock::new();
    LAB.get_or_init(|| {
        for program in ["/usr/sbin/dovecot", "/usr/sbin/postfix", "/usr/lib/dovecot/lmtp"] {
            if !Path::new(program).exists() {
                left_out(&format!("the mail servers: {program} is missing"));
                return None;
            }
        }
        if !rustix::process::geteuid().is_root() {
            left_out("the mail servers: Postfix starts only as root");
            return None;
        }
        Some(Lab::start())
    })
    .as_ref()
}

impl Lab {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("postkeep-lab-").tempdir().unwrap().keep();
        // Postfix's and Dovecot's processes run as users of their own.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let watch = watch(&dir, &["postfix/pid/master.pid", "dovecot/run/master.pid"]);
        let authority = Authority::new("postkeep's lab");
        fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
        let identity = authority.identity(&["localhost", "127.0.0.1"]);
        fs::write(dir.join("server.pem"), identity.certificate_pem()).unwrap();
        fs::write(dir.join("server.key"), identity.key_pem()).unwrap();
        let ports = servers::start(&dir);
        Self {
            dir,
            implicit: ports.implicit,
            starttls: ports.starttls,
            relay: ports.relay,
            imap: ports.imap,
            imaps: ports.imaps,
            pop3: ports.pop3,
            pop3s: ports.pop3s,
            _watch: watch,
        }
    }

    /// The certificate of the lab's own authority.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The table `[accounts.lab]` for a port of Postfix; the password is in `secret`, which is made.
    pub fn account(&self, tls: &str, secret: &Path) -> String {
        fs::write(secret, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        let ca = self.ca_file();
        let (port, login) = match tls {
            "implicit" => (self.implicit, true),
            "starttls" => (self.starttls, true),
            _ => (self.relay, false),
        };
        let ca = if login { format!(", ca-file = {ca:?}") } else { String::new() };
        let login = match login {
            true => format!("user = \"ann@localhost\"\npassword-file = {secret:?}\n"),
            false => String::new(),
        };
        format!(
            "[accounts.lab]\n{login}smtp = {{ host = \"localhost\", port = {port}, tls = \"{tls}\"{ca} }}\n"
        )
    }

    /// A user's mailbox; the secret is [`PASSWORD`].
    pub fn mailbox(&self, user: &str, tls: Tls) -> Imap {
        Imap {
            preset: None,
            host: "localhost".into(),
            port: if tls == Tls::Implicit { self.imaps } else { self.imap },
            tls,
            ca_file: Some(self.ca_file()),
            login: Login {
                user: user.into(),
                secret: SecretSource::Env("UNUSED".into()),
                proof: Proof::Password,
            },
            limits: Limits::default(),
        }
    }

    /// The same mailbox by POP3; None where Dovecot has none.
    pub fn maildrop(&self, user: &str, tls: Tls) -> Option<Pop3> {
        if !servers::has_pop3() {
            left_out("mailboxes by POP3: /usr/lib/dovecot/pop3 is missing");
            return None;
        }
        let Imap { host, ca_file, login, .. } = self.mailbox(user, tls);
        let port = if tls == Tls::Implicit { self.pop3s } else { self.pop3 };
        Some(Pop3 { preset: None, host, port, tls, ca_file, login })
    }

    /// All letters of a user, in the order in which they came.
    pub fn inbox(&self, user: &str) -> Vec<Vec<u8>> {
        imap::inbox(self.imap, user, PASSWORD)
    }

    /// All messages in a folder of a user's, by the server's name of it, in their order.
    pub fn all_in(&self, user: &str, folder: &str) -> Vec<Vec<u8>> {
        imap::messages(self.imap, user, PASSWORD, folder, "1:*")
    }

    /// The first message in a folder of a user's.
    pub fn first_in(&self, user: &str, folder: &str) -> Vec<u8> {
        imap::messages(self.imap, user, PASSWORD, folder, "1").remove(0)
    }

    /// Where Dovecot keeps the messages of a user.
    pub fn maildir(&self, user: &str) -> PathBuf {
        self.dir.join("dovecot/mail").join(user).join("Maildir")
    }

    /// How often the servers refused a login of this user.
    pub fn refused_logins(&self, user: &str) -> usize {
        let log = fs::read_to_string(self.dir.join("dovecot.log")).unwrap_or_default();
        let of_user = format!("passwd-file({user},");
        log.lines().filter(|line| line.contains(&of_user) && line.contains("assword mismatch")).count()
    }
}

/// Waits until this process has ended, then ends the servers and removes the folder. It is a process of its own, since
/// nothing of ours runs after a kill.
///
/// `pids` are the files in it with the ids of the servers' processes.
fn watch(dir: &Path, pids: &[&str]) -> Child {
    let script = r#"
        trap '' INT TERM HUP
        read -r never
        cd "$1" && shift || exit 1
        for pid; do
            [ -s "$pid" ] && kill "$(tr -d ' ' < "$pid")"
        done
        sleep 0.5
        for pid; do
            [ -s "$pid" ] && kill -9 "$(tr -d ' ' < "$pid")"
        done
        rm -rf "$PWD"
    "#;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "watch"])
        .arg(dir)
        .args(pids)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().flush().unwrap();
    child
}

/// The part of a delivered letter that we wrote: from our first header on.
pub fn from_our_first_header(letter: &[u8]) -> &[u8] {
    let at = memchr_find(letter, b"\r\nFrom: ").expect("a From header") + 2;
    &letter[at..]
}

fn memchr_find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
