//! Against a real server.

use std::path::Path;

use postkeep::archive::source::{Since, Source};
use postkeep::mail::imap::{Appended, Change, Dialer, Outgoing};
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::{SecretSource, Tls};

use super::*;
use crate::lab::{self, Lab, PASSWORD};

fn secret() -> Secret {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, PASSWORD).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    secret::fetch(&SecretSource::File(path)).unwrap()
}

fn open(lab: &Lab, user: &str) -> postkeep::mail::imap::Session {
    Dialer::new(lab.mailbox(user, Tls::Implicit), secret()).open().unwrap()
}

fn source(lab: &Lab, user: &str) -> Opened {
    mailbox(lab.mailbox(user, Tls::Implicit), |options| {
        options.secret = Box::new(|| Ok(secret()));
        options.patience = Default::default();
        options.held = 64 << 10;
    })
}

/// Makes a folder with these messages; those that the server took.
fn fill(lab: &Lab, user: &str, folder: &str, messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut session = open(lab, user);
    let _ = session.delete(folder);
    session.create(folder).unwrap();
    let letters = messages.iter().cloned().map(|body| Outgoing {
        body: Box::new(body),
        flags: &["\\Seen"],
        internal_date: "2020-02-29T12:00:00Z".parse().ok(),
    });
    let (results, failed) = session.append_all(folder, letters.collect());
    assert!(failed.is_none(), "{failed:?}");
    let taken = results.iter().map(|result| matches!(result, Appended::Stored(_)));
    messages.into_iter().zip(taken).filter_map(|(message, taken)| taken.then_some(message)).collect()
}

/// All bodies of a folder.
fn all(it: &mut Opened, folder: &Folder, messages: &[Listed]) -> Vec<Vec<u8>> {
    let mut came = Vec::new();
    it.imap
        .fetch(folder, messages, &mut |_, body| {
            came.push(bytes(body.unwrap()));
            Ok(())
        })
        .unwrap();
    came
}

#[test]
fn real_mails_come_byte_by_byte() {
    let Some(lab) = lab::get() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("left out: the collection of real mails is not beside this checkout");
        return;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    let mails: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let count = mails.len();
    let sent = fill(lab, "user22", "Büro/Alt & Neu", mails);
    assert!(count > 100 && sent.len() + 10 > count, "{} of {count} were taken", sent.len());

    let mut it = source(lab, "user22");
    let folders = it.imap.folders().unwrap();
    let folder = folders.iter().find(|folder| folder.path == "Büro/Alt & Neu").unwrap();
    let listing = it.imap.list(folder, Since::default()).unwrap();
    assert_eq!(listing.mark, folder.mark.unwrap());
    assert_eq!(listing.messages.len(), sent.len());
    assert!(listing.messages.is_sorted_by_key(|message| message.uid));
    // As an independent reader of the same mailbox gets them.
    let independent = lab.all_in("user22", "B&APw-ro/Alt &- Neu");
    let came = all(&mut it, folder, &listing.messages);
    for ((listed, came), other) in listing.messages.iter().zip(&came).zip(&independent) {
        assert!(came == other, "{} came back different", listed.key);
        assert_eq!(listed.size, came.len() as u64);
        assert_eq!(listed.date.unwrap().to_string(), "2020-02-29T12:00:00Z");
        assert_eq!(listed.flags, ["\\Seen"]);
    }
    // But for line ends, which mail has as two bytes, the server changed nothing either.
    let lines = |mail: &[u8]| {
        let lines = mail.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let is_mail = |mail: &[u8]| !mail.contains(&0) && !lines(mail).iter().any(|line| line.contains(&b'\r'));
    let mut clean_ones = 0;
    for (sent, came) in sent.iter().zip(&came).filter(|(sent, _)| is_mail(sent)) {
        assert!(lines(sent) == lines(came));
        clean_ones += 1;
    }
    assert!(clean_ones * 10 > count * 9, "{clean_ones} of {count}");
    eprintln!("{} mails are equal, {clean_ones} of them to what was sent", came.len());
    assert_eq!(independent.len(), came.len());
    assert_eq!(std::fs::read_dir(it.spool.path()).unwrap().count(), 0);
}

#[test]
fn what_is_new_and_what_changed_is_told_and_what_is_gone_is_known() {
    let Some(lab) = lab::get() else { return };
    let message = |number: usize| format!("Message-ID: <{number}@x.test>\r\n\r\n{number}\r\n").into_bytes();
    fill(lab, "user23", "Some", (0..500).map(message).collect());
    let mut it = source(lab, "user23");
    let folder = it.imap.folders().unwrap().into_iter().find(|folder| folder.path == "Some").unwrap();
    let first = it.imap.list(&folder, Since::default()).unwrap();
    assert_eq!((first.messages.len(), first.mark.messages), (500, 500));

    let mut other = open(lab, "user23");
    other.select("Some").unwrap();
    let uid = |at: usize| first.messages[at].uid;
    other.store(&[uid(7)], Change::Add, &["\\Flagged"]).unwrap();
    other.expunge(&[uid(0), uid(250), uid(251), uid(499)]).unwrap();
    other
        .append_all("Some", vec![Outgoing { body: Box::new(message(500)), flags: &[], internal_date: None }]);

    // By what the first listing knew: the server has not told us since.
    let mut came = Vec::new();
    it.imap
        .fetch(&folder, &first.messages, &mut |at, body| {
            came.push(body.is_ok());
            match body {
                Ok(body) => assert_eq!(bytes(body), message(at)),
                Err(refusal) => assert_eq!(refusal, Refusal::Gone),
            }
            Ok(())
        })
        .unwrap();
    let gone: Vec<_> = came.iter().enumerate().filter_map(|(at, ok)| (!ok).then_some(at)).collect();
    assert_eq!((came.len(), gone), (500, vec![0, 250, 251, 499]));

    let since = Since { uid: first.mark.next, mod_seq: first.mark.mod_seq };
    let second = it.imap.list(&folder, since).unwrap();
    assert_eq!(second.messages.len(), 1);
    assert_eq!(second.messages[0].message_id.as_deref(), Some("<500@x.test>"));
    let changed: Vec<_> =
        second.changed.iter().map(|it| (it.uid, it.flags.contains(&"\\Flagged".into()))).collect();
    assert_eq!(changed, [(uid(7), true)]);
    assert_eq!(second.changed[0].message_id.as_deref(), Some("<7@x.test>"));
    let third = it.imap.list(&folder, Since { uid: second.mark.next, mod_seq: second.mark.mod_seq }).unwrap();
    assert_eq!((third.messages.len(), third.changed.len(), third.mark), (0, 0, second.mark));
}
