use std::fs;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::*;
use crate::archive::path::Place;
use crate::profile::FilterRules;
use crate::progress::{Meter, Silent};
use crate::vault::store::Store;
use crate::vault::store::memory::Memory;
use crate::vault::{Options, Request, Vault};

/// A vault with the messages of an archive, and their files.
struct Lab {
    temp: tempfile::TempDir,
    heap: Arc<Memory>,
    /// Whether files here have attributes.
    attributes: bool,
}

impl Lab {
    fn new() -> Self {
        let (temp, heap) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(Arc::clone(&heap) as Arc<dyn Store>, "password", &options).unwrap();
        Self { temp, heap, attributes: true }
    }

    fn source(&self) -> std::path::PathBuf {
        self.temp.path().join("source")
    }

    fn open(&self) -> Vault {
        let path = |name| self.temp.path().join(name);
        Vault::open(Arc::clone(&self.heap) as _, "password", &path("keys"), &path("cache")).unwrap()
    }

    fn message(&mut self, folder: &str, key: &str, content: &[u8], sha256: [u8; 32]) {
        let place = Place {
            account: "gmail".into(),
            folder: folder.into(),
            date: "2026-03-04T05:06:07Z".parse().unwrap(),
            key: key.into(),
        };
        let path = self.source().join(path::path(&place).strip_prefix("/").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let marks = Marks { sha256, flags: vec!["\\Seen".into()], ..Marks::default() };
        for (name, value) in marks.attributes() {
            let set = rustix::fs::setxattr(&path, name.as_str(), &value, rustix::fs::XattrFlags::empty());
            self.attributes &= set.is_ok();
        }
    }

    fn save(&self, label: &str, host: &str) {
        let request = Request {
            profile: label,
            host,
            sources: &[self.source()],
            filter: &FilterRules::default(),
            one_file_system: false,
            allow_empty_source: false,
            checkpoint: 1 << 40,
            now: jiff::Timestamp::now(),
            state: None,
            meter: &Meter::default(),
            listener: &Silent,
            journal: &crate::journal::Forgetful,
        };
        self.open().save(&request).unwrap();
    }

    /// Looks at the archive that was saved from the folder `source`.
    fn look<T>(&self, label: &str, work: impl FnOnce(&Archive<'_>) -> T) -> T {
        let vault = self.open();
        let vault = vault.read().unwrap();
        let all = vault.vault().readable_snapshots().unwrap();
        let snapshot = choose(&all, "latest", &scope(label, ""), &TimeZone::UTC).unwrap();
        let source = self.source();
        let (_, root) = tree::at(&vault, snapshot.tree, source.as_os_str().as_encoded_bytes()).unwrap();
        work(&Archive { vault: &vault, root })
    }
}

fn scope(label: &str, host: &str) -> Scope {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Scope { label: some(label), host: some(host) }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn walked(archive: &Archive<'_>, wanted: &Wanted) -> (Vec<Found>, Walked) {
    let mut all = Vec::new();
    let walked = archive.walk(wanted, &mut |found| {
        all.push(found);
        Ok(true)
    });
    (all, walked.unwrap())
}

/// The keys of messages, and their bytes where those can be read.
struct Visited(Vec<(String, Option<Vec<u8>>)>);

impl Visitor for Visited {
    fn wants(&mut self, found: &Found) -> bool {
        // Who does not say so gets them, too.
        found.message.place.key != "8.2"
    }

    fn visit(&mut self, found: Found, bytes: Result<&mut dyn Read>) -> Result<bool> {
        self.0.push((found.message.place.key, whole(bytes?, 1 << 30).ok()));
        Ok(true)
    }
}

#[test]
fn messages_are_read_back_and_checked() {
    let mut lab = Lab::new();
    let large = vec![b'x'; 3 << 20];
    lab.message("INBOX", "7.1", b"one", hash(b"one"));
    lab.message("INBOX/Büro", "7.2", &large, hash(&large));
    lab.message("Sent", "8.1", b"changed", hash(b"before"));
    lab.message("Sent", "8.2", b"one", hash(b"one"));
    fs::write(lab.source().join("gmail/notes.txt"), "x").unwrap();
    fs::create_dir(lab.source().join("else")).unwrap();
    fs::write(lab.source().join("else/x.eml"), "x").unwrap();
    lab.save("mail", "nas");
    if !lab.attributes {
        eprintln!("left out: files here have no attributes");
        return;
    }
    lab.look("mail", |archive| {
        let (all, met) = walked(archive, &Wanted::default());
        let places = all.iter().map(|found| &found.message.place);
        let keys: Vec<_> = places.map(|place| (place.folder.as_str(), place.key.as_str())).collect();
        assert_eq!(keys, [("INBOX", "7.1"), ("INBOX/Büro", "7.2"), ("Sent", "8.1"), ("Sent", "8.2")]);
        assert_eq!((met.visited, met.others, met.is_whole()), (4, 2, true));
        assert_eq!((all[0].message.size, &all[0].message.marks.flags[..]), (3, &["\\Seen".to_owned()][..]));

        assert_eq!(archive.bytes(&all[0], 3).unwrap(), b"one");
        assert_eq!(archive.bytes(&all[1], 1 << 30).unwrap(), large);
        let error = archive.bytes(&all[0], 2).unwrap_err();
        assert!(error.to_string().contains("has 3 bytes"), "{error}");
        let error = archive.bytes(&all[2], 100).unwrap_err().one_line();
        assert!(error.contains("not those that were archived"), "{error}");

        let mut visited = Visited(Vec::new());
        archive.visit(&Wanted::default(), &mut visited).unwrap();
        let expected =
            [("7.1", Some(&b"one"[..])), ("7.2", Some(&large)), ("8.1", None), ("8.2", Some(b"one"))];
        let visited = visited.0.iter().map(|(key, bytes)| (key.as_str(), bytes.as_deref()));
        assert!(visited.eq(expected), "other messages, or in another order");

        let folder = |folder: &str| Wanted { folders: vec![folder.into()], ..Wanted::default() };
        assert_eq!(walked(archive, &folder("inbox")).1.visited, 2);
        let nobody = Wanted { account: Some("gmai".into()), ..Wanted::default() };
        // What is in other accounts is not even looked at.
        assert_eq!((walked(archive, &nobody).1.visited, walked(archive, &nobody).1.others), (0, 0));
        let mut seen = 0;
        let enough = archive.walk(&Wanted::default(), &mut |_| {
            seen += 1;
            Ok(seen < 2)
        });
        assert_eq!((seen, enough.unwrap().visited), (2, 2));
        assert!(archive.walk(&Wanted::default(), &mut |_| Err(Error::other("full"))).is_err());

        let named = |text: &str| archive.named(Prefix::parse(text).unwrap());
        assert_eq!(named(&all[0].message.marks.id()[..8]).unwrap().message.place.key, "7.1");
        assert_eq!(named("ffffffff").unwrap_err().kind(), Kind::Usage);
    });
}

#[test]
fn an_id_names_one_message_however_often_it_is_there() {
    let mut lab = Lab::new();
    let (mut one, mut other) = ([0xab; 32], [0xab; 32]);
    (one[31], other[31]) = (1, 2);
    lab.message("INBOX", "7.1", b"one", one);
    lab.message("Sent", "8.1", b"one", one);
    lab.message("Work", "9.1", b"other", other);
    lab.save("mail", "nas");
    if !lab.attributes {
        eprintln!("left out: files here have no attributes");
        return;
    }
    lab.look("mail", |archive| {
        let named = |text: &str| archive.named(Prefix::parse(text).unwrap());
        let copies = named(&format!("{}01", "ab".repeat(31))).unwrap();
        assert_eq!(copies.message.place.folder, "INBOX");
        let error = named("abab").unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().contains("several"), "{error}");
    });
}

#[test]
fn each_machine_has_an_archive_of_its_own() {
    let mut lab = Lab::new();
    lab.message("INBOX", "7.1", b"one", hash(b"one"));
    lab.save("mail", "nas");
    lab.message("INBOX", "7.2", b"two", hash(b"two"));
    lab.save("mail", "laptop");
    lab.save("documents", "tower");
    let all = lab.open().readable_snapshots().unwrap();
    for (host, expected) in [("nas", "nas"), ("laptop", "laptop"), ("new", "laptop"), ("", "laptop")] {
        let chosen = choose(&all, "latest", &scope("mail", host), &TimeZone::UTC).unwrap();
        assert_eq!(chosen.hostname, expected, "{host}");
    }
    assert!(hosts(&all, Some("mail")).iter().eq(["laptop", "nas"]));
}

#[test]
fn other_profiles_and_damaged_folders() {
    let mut lab = Lab::new();
    lab.message("INBOX", "7.1", b"one", hash(b"one"));
    lab.save("mail", "nas");
    lab.message("INBOX", "7.2", b"two", hash(b"two"));
    lab.save("documents", "nas");
    let all = || lab.open().readable_snapshots().unwrap();
    let choose = |label, host| choose(&all(), "latest", &scope(label, host), &TimeZone::UTC);
    assert_eq!(choose("mail", "").unwrap().label, "mail");
    assert_eq!(choose("", "").unwrap().label, "documents");
    assert!(choose("other", "").unwrap_err().to_string().contains("no archived message yet"));
    lab.look("mail", |archive| {
        assert_eq!(walked(archive, &Wanted::default()).1.visited, 1);
        assert!(archive.accounts().unwrap().iter().eq(["gmail"]));
    });

    // A folder whose list of entries is nowhere.
    lab.look("mail", |archive| {
        let mut root = archive.root.clone();
        root.subtree = Some("0b".repeat(32).parse().unwrap());
        let broken = Archive { vault: archive.vault, root };
        let (none, met) = walked(&broken, &Wanted::default());
        assert_eq!((none.len(), met.broken.len(), met.is_whole()), (0, 1, false));
        let error = broken.named(Prefix::parse("abcd").unwrap()).unwrap_err();
        assert!(error.to_string().contains("can be read"), "{error}");
        // Nobody takes that for an archive with no more than one account.
        let error = broken.accounts().unwrap_err().one_line();
        assert!(error.contains("which accounts"), "{error}");
    });
}
