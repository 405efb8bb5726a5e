use std::fs;
use std::os::unix::fs::symlink;

use super::*;

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn folders(&self, names: &[&str]) {
        names.iter().for_each(|name| fs::create_dir_all(self.path(name)).unwrap());
    }

    fn maildir(&self) -> Maildir {
        Maildir::new(self.0.path())
    }
}

fn names(maildir: &mut Maildir) -> Vec<String> {
    maildir.folders().unwrap().into_iter().map(|folder| folder.path).collect()
}

fn folder(path: &str) -> Folder {
    Folder { path: path.into(), special: None, mark: None }
}

fn listed(maildir: &mut Maildir, path: &str) -> Vec<Listed> {
    maildir.list(&folder(path), Since::default()).unwrap().messages
}

fn fetched(
    maildir: &mut Maildir,
    path: &str,
    messages: &[Listed],
) -> Vec<std::result::Result<Vec<u8>, Refusal>> {
    let mut all = Vec::new();
    let mut take = |at: usize, result: std::result::Result<Body, Refusal>| {
        assert_eq!(at, all.len());
        all.push(result.map(|body| match body {
            Body::Held(bytes) => bytes,
            Body::Spooled(mut file, size) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, size);
                bytes
            }
        }));
        Ok(())
    };
    maildir.fetch(&folder(path), messages, &mut take).unwrap();
    all
}

#[test]
fn folders_of_all_programs_are_found() {
    let lab = Lab::new();
    lab.folders(&["cur", "new", "tmp", ".Sent/cur", ".A.B/new", ".A.B/tmp", ".empty", "cur/deep/cur"]);
    lab.folders(&["Plain/Sub/cur", "elsewhere/new"]);
    symlink(lab.path(".Sent"), lab.path(".Link")).unwrap();
    assert_eq!(names(&mut lab.maildir()), ["A/B", "INBOX", "Plain/Sub", "Sent"]);

    let lab = Lab::new();
    lab.folders(&["Inbox/cur", "new/cur", "Work/Sub.x/cur", "Entw&APw-rfe/cur", "Entwürfe/cur"]);
    let all = ["Entwürfe", "Entwürfe (2)", "Inbox", "Work/Sub.x", "new"];
    assert_eq!(names(&mut lab.maildir()), all);

    let lab = Lab::new();
    lab.folders(&["docs"]);
    let error = lab.maildir().folders().unwrap_err();
    assert!(error.to_string().ends_with("is no Maildir"), "{error}");
    let error = Maildir::new(&lab.path("gone")).folders().unwrap_err();
    assert!(error.to_string().contains("cannot open the Maildir"), "{error}");
}

#[test]
fn messages_are_listed_and_read_and_nothing_changes() {
    let lab = Lab::new();
    lab.folders(&["tmp"]);
    let large = vec![b'x'; HELD + 1];
    lab.write("new/3.host", b"three\n");
    lab.write("cur/1.host,S=3:2,FSa", b"one");
    lab.write("cur/2.host:2,", &large);
    lab.write("cur/.hidden", b"x");
    lab.write("tmp/4.host", b"unfinished");
    lab.write("dovecot-keywords", b"0 $Work\n");
    lab.write("secret", b"secret");
    symlink(lab.path("secret"), lab.path("cur/5.host:2,S")).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    File::options().write(true).open(lab.path("new/3.host")).unwrap().set_modified(time).unwrap();

    let mut maildir = lab.maildir();
    let all = listed(&mut maildir, "INBOX");
    let told: Vec<_> = all.iter().map(|one| (one.key.as_str(), one.uid, one.size)).collect();
    assert_eq!(told, [("1.host", 1, 3), ("2.host", 2, HELD as u64 + 1), ("3.host", 3, 6)]);
    assert_eq!(all[0].flags, ["\\Flagged", "\\Seen", "$Work"]);
    assert_eq!(all[2].date, Some("2023-11-14T22:13:20Z".parse().unwrap()));
    let bodies = fetched(&mut maildir, "INBOX", &all);
    assert_eq!(bodies, [Ok(b"one".to_vec()), Ok(large), Ok(b"three\n".to_vec())]);
    assert!(lab.path("new/3.host").exists());
    // Without a look before, and in another order.
    let back = fetched(&mut lab.maildir(), "INBOX", &[all[2].clone(), all[0].clone()]);
    assert_eq!(back, [Ok(b"three\n".to_vec()), Ok(b"one".to_vec())]);
}

#[test]
fn what_is_renamed_meanwhile_is_found_and_what_is_gone_is_said() {
    let lab = Lab::new();
    lab.folders(&["tmp", "cur"]);
    (1..=6).for_each(|n| lab.write(&format!("new/{n}.host"), format!("{n}").as_bytes()));
    let mut maildir = lab.maildir();
    let all = listed(&mut maildir, "INBOX");
    fs::rename(lab.path("new/1.host"), lab.path("cur/1.host,U=5:2,S")).unwrap();
    fs::rename(lab.path("new/2.host"), lab.path("cur/2.host:2,T")).unwrap();
    fs::remove_file(lab.path("new/3.host")).unwrap();
    fs::remove_file(lab.path("new/4.host")).unwrap();
    symlink(lab.path("new/6.host"), lab.path("new/4.host")).unwrap();
    fs::remove_file(lab.path("new/5.host")).unwrap();
    fs::create_dir(lab.path("new/5.host")).unwrap();
    let bodies = fetched(&mut maildir, "INBOX", &all);
    assert_eq!(bodies[0], Ok(b"1".to_vec()));
    assert_eq!(bodies[1], Ok(b"2".to_vec()));
    assert_eq!(bodies[5], Ok(b"6".to_vec()));
    // Those that are none any more were lost from the list when the third one was looked for.
    assert!(bodies[2..5].iter().all(|body| *body == Err(Refusal::Gone)), "{bodies:?}");
    // The same message has the same key when it was read.
    let again: Vec<_> = listed(&mut maildir, "INBOX").into_iter().map(|one| one.key).collect();
    assert_eq!(again, ["1.host", "2.host", "6.host"]);

    fs::remove_dir_all(lab.path("new")).unwrap();
    fs::remove_dir_all(lab.path("cur")).unwrap();
    fs::remove_dir_all(lab.path("tmp")).unwrap();
    assert!(listed(&mut maildir, "INBOX").is_empty());
    assert!(lab.maildir().list(&folder("INBOX"), Since::default()).is_err());
}

#[test]
fn two_messages_never_share_a_key() {
    let lab = Lab::new();
    lab.folders(&["tmp", "new"]);
    for name in ["1,U=1:2,S", "1,U=2:2,", "2:2,S", "2:2,ST", "3", "ü 1:2,", ":2,"] {
        lab.write(&format!("cur/{name}"), name.as_bytes());
    }
    lab.write("new/3", b"another one");
    let mut maildir = lab.maildir();
    let all = listed(&mut maildir, "INBOX");
    let keys: Vec<_> = all.iter().map(|one| one.key.as_str()).collect();
    let (two, three) = (["cur%2F2:2,S", "cur%2F2:2,ST"], ["new%2F3", "cur%2F3"]);
    assert_eq!(keys, [&["%", "1,U=1", "1,U=2"][..], &two, &three, &["%C3%BC%201"]].concat());
    let mut bodies: Vec<_> = fetched(&mut maildir, "INBOX", &all).into_iter().map(Result::unwrap).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), all.len());
}

#[test]
fn a_message_that_is_seen_at_two_places_is_one() {
    let lab = Lab::new();
    lab.folders(&["tmp", "new"]);
    lab.write("cur/1,S=1:2,S", b"1");
    // As it is seen when it moves between two looks.
    fs::hard_link(lab.path("cur/1,S=1:2,S"), lab.path("new/1")).unwrap();
    let mut maildir = lab.maildir();
    let all = listed(&mut maildir, "INBOX");
    assert_eq!(all.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(all[0].flags, ["\\Seen"]);
    fs::remove_file(lab.path("new/1")).unwrap();
    assert_eq!(fetched(&mut maildir, "INBOX", &all), [Ok(b"1".to_vec())]);
}

#[test]
fn a_folder_that_cannot_be_read_is_told_when_it_is_listed() {
    let lab = Lab::new();
    lab.folders(&["cur", "new", "tmp", ".Closed/cur"]);
    if rustix::process::geteuid().is_root() {
        // The superuser can read everything; a loop of links he cannot.
        fs::remove_dir(lab.path("new")).unwrap();
        symlink(lab.path("new"), lab.path("new")).unwrap();
        let error = lab.maildir().list(&folder("INBOX"), Since::default()).unwrap_err();
        assert!(error.to_string().contains("cannot open the folder"), "{error}");
        return;
    }
    fs::set_permissions(lab.path(".Closed"), std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
    assert_eq!(names(&mut lab.maildir()), ["Closed", "INBOX"]);
    assert!(lab.maildir().list(&folder("Closed"), Since::default()).is_err());
}
