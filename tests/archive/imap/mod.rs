//! Messages out of mailboxes: against a real Dovecot, and against servers that say what no real one says on request.

mod breaks;
mod dovecot;
mod fetch;
mod list;
pub mod stop;
mod storm;

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postkeep::archive::imap::{Imap, Options};
use postkeep::archive::source::{Body, Folder, Listed, Refusal, Source};
use postkeep::error::{Error, Result};
use postkeep::profile::Imap as Account;
use tempfile::TempDir;

use crate::imap::script::{self, Script};

/// A mailbox that is read without rests, and a folder on disk for large messages.
struct Opened {
    imap: Imap,
    spool: TempDir,
    /// The rests that there would have been.
    rests: Arc<Mutex<Duration>>,
}

/// The mailbox of an account, with other options.
fn mailbox(account: Account, change: impl FnOnce(&mut Options)) -> Opened {
    let spool = tempfile::tempdir().unwrap();
    let rests = Arc::<Mutex<Duration>>::default();
    let own = Arc::clone(&rests);
    let mut options =
        Options::new("imap:box", account, Box::new(|| Ok(script::secret())), spool.path().to_owned());
    options.patience = script::patience();
    options.sleep = Box::new(move |rest| *own.lock().unwrap() += rest);
    options.held = 1000;
    change(&mut options);
    Opened { imap: Imap::new(options), spool, rests }
}

/// A mailbox at a server that follows a script, and has only the folder `Box`, of UIDVALIDITY 7.
fn scripted(text: &str) -> (Opened, Script) {
    scripted_with(text, |_| ())
}

fn scripted_with(text: &str, change: impl FnOnce(&mut Options)) -> (Opened, Script) {
    let first = connection(
        "C: A LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))
        S: * LIST () \"/\" Box
        S: * STATUS Box (MESSAGES 3 UIDNEXT 10 UIDVALIDITY 7)
        S: A OK done
        C: B NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: B OK done",
    );
    let again = connection("");
    let script = Script::play(&format!("{first}\n{}", text.replace("next", &format!("next\n{again}"))));
    (mailbox(script.account(), change), script)
}

/// A login at a server that offers little, and what follows.
fn connection(text: &str) -> String {
    script::login(&format!("S: B OK [CAPABILITY IMAP4rev1 LIST-STATUS NAMESPACE] welcome\n{text}"))
}

/// The folder of the scripts.
fn folder() -> Folder {
    Folder { path: "Box".into(), special: None, mark: None }
}

/// What is said as it is opened.
const EXAMINE: &str = "C: E EXAMINE \"Box\"
    S: * 3 EXISTS
    S: * OK [UIDVALIDITY 7] ok
    S: * OK [UIDNEXT 10] ok
    S: E OK [READ-ONLY] done";

/// Messages as they were listed, of these sizes.
fn listed(messages: &[(u32, u64)]) -> Vec<Listed> {
    let listed = |(uid, size): &(u32, u64)| Listed {
        key: format!("7.{uid}"),
        uid: *uid,
        size: *size,
        ..Listed::default()
    };
    messages.iter().map(listed).collect()
}

/// The bytes of a body.
fn bytes(body: Body) -> Vec<u8> {
    match body {
        Body::Held(bytes) => bytes,
        Body::Spooled(mut file, size) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, size);
            bytes
        }
    }
}

/// What became of each message, in the order in which it came; and how it ended.
fn fetched(source: &mut Imap, messages: &[Listed]) -> (Vec<String>, Result<()>) {
    let mut came = Vec::new();
    let ended = source.fetch(&folder(), messages, &mut |at, body| {
        assert_eq!(at, came.len(), "each comes once, in its order");
        came.push(match body {
            Ok(Body::Spooled(file, size)) => {
                let body = bytes(Body::Spooled(file, size));
                format!("in a file: {}", body.len())
            }
            Ok(body) => String::from_utf8_lossy(&bytes(body)).into_owned(),
            Err(Refusal::Gone) => "gone".into(),
            Err(Refusal::Refused(why)) => format!("refused: {why}"),
        });
        Ok(())
    });
    (came, ended)
}

/// The words of an error that there must be.
fn words(ended: Result<()>) -> String {
    ended.map_err(|error: Error| error.one_line()).unwrap_err()
}
