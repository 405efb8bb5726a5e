//! A vault in a Maildir: letters that any program may move, mark and rewrap.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use postkeep::clock::System;
use postkeep::vault::store::letter::{self, Label, LineEnd, VaultId};
use postkeep::vault::store::maildir::Maildir;
use postkeep::vault::store::{Found, Id, Kind, Store};
use tempfile::TempDir;

use super::contract::{self, Mend, Place, content, put};

struct InMaildir {
    _temp: TempDir,
    path: PathBuf,
    /// Told to the store as soon as there are letters of another one.
    vault: OnceLock<VaultId>,
}

impl InMaildir {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { path: temp.path().join("Mail/vault"), vault: OnceLock::new(), _temp: temp }
    }

    fn store(&self) -> Maildir {
        Maildir::new(&self.path, self.vault.get().copied(), Arc::new(System))
    }

    /// Files of messages, the first message of the vault left out.
    fn letters(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path.join("cur")).unwrap().map(|entry| entry.unwrap().path());
        let mut letters: Vec<PathBuf> =
            files.filter(|path| letter::read(&fs::read(path).unwrap()).is_some()).collect();
        letters.sort();
        letters
    }
}

impl Place for InMaildir {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store())
    }

    fn open_broken(&self) -> (Arc<dyn Store>, Mend) {
        let (tmp, away) = (self.path.join("tmp"), self.path.join("away"));
        fs::rename(&tmp, &away).unwrap();
        (self.open(), Box::new(move || fs::rename(away, tmp).unwrap()))
    }

    fn litter(&self) {
        let vault = self.store().vault_id().unwrap().unwrap();
        self.vault.set(vault).unwrap();
        for (at, text) in super::foreign_messages(vault).iter().enumerate() {
            let folder = ["new", "cur"][at % 2];
            fs::write(self.path.join(folder).join(format!("{at}.x.host")), text).unwrap();
        }
        fs::create_dir_all(self.path.join(".Archive/cur")).unwrap();
        fs::create_dir_all(self.path.join("cur/folder")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", self.path.join("cur/link")).unwrap();
        fs::write(self.path.join("dovecot.index"), "x").unwrap();
    }
}

#[test]
fn of_many_who_make_a_vault_one_does() {
    contract::of_many_who_make_a_vault_one_does(&InMaildir::new());
}

#[test]
fn a_maildir_keeps_the_contract() {
    contract::check(&|| Box::new(InMaildir::new()));
}

#[test]
fn programs_may_mark_move_and_rewrite_letters() {
    let place = InMaildir::new();
    let store = place.open();
    store.create().unwrap();
    let object = content(20_000, 1);
    let id = put(&*store, Kind::Pack, &object);
    let check = |store: &dyn Store, what: &str| {
        assert_eq!(store.list(Kind::Pack).unwrap(), [Found { id, size: 20_000 }], "{what}");
        assert_eq!(store.read(Kind::Pack, &id).unwrap(), object, "{what}");
        assert_eq!(store.read_range(Kind::Pack, &id, 100..9_000).unwrap(), object[100..9_000], "{what}");
    };
    let letter = || place.letters().remove(0);
    let text = fs::read_to_string(letter()).unwrap();
    let (head, body) = text.split_once("\n\n").unwrap();
    let rewritten = [
        ("with CRLF", text.replace('\n', "\r\n")),
        ("with another header", format!("X-TUID: 1\n{text}")),
        (
            "in shorter lines",
            format!(
                "{head}\n\n{}",
                body.replace('\n', "")
                    .as_bytes()
                    .chunks(60)
                    .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
                    .collect::<String>()
            ),
        ),
    ];
    check(&*store, "as written");
    let renamed = place.path.join("cur/17.x,U=5.host:2,FS");
    fs::rename(letter(), &renamed).unwrap();
    check(&*store, "renamed");
    let mut from = renamed;
    for to in ["cur/17.x,U=5.host:2,", "new/17.x,U=5.host", "cur/17.x,U=5.host:2,RS"] {
        let to = place.path.join(to);
        fs::rename(&from, &to).unwrap();
        // A range first: it has to find where the file went.
        assert_eq!(store.read_range(Kind::Pack, &id, 5..6).unwrap(), object[5..6], "{to:?}");
        check(&*store, &to.display().to_string());
        from = to;
    }
    for (what, text) in rewritten {
        fs::write(letter(), text).unwrap();
        check(&*place.open(), what);
    }
}

#[test]
fn torn_letters_are_as_good_as_none() {
    let place = InMaildir::new();
    place.open().create().unwrap();
    let object = content(5_000, 1);
    let id = put(&*place.open(), Kind::Pack, &object);
    let path = place.letters().remove(0);
    let whole = fs::read(&path).unwrap();
    for length in [0, 10, 300, 600, 3_000, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let store = place.open();
        assert_eq!(store.list(Kind::Pack).unwrap(), [], "{length} bytes");
        put(&*store, Kind::Pack, &object);
        assert_eq!(place.open().read(Kind::Pack, &id).unwrap(), object);
        place.open().remove(Kind::Pack, &[id]).unwrap();
        assert!(path.exists(), "a torn letter is none of ours");
    }
}

#[test]
fn large_objects_are_several_letters_and_doubles_go() {
    let place = InMaildir::new();
    let store = place.open();
    store.create().unwrap();
    let object = content(40_000_000, 1);
    let id = put(&*store, Kind::Pack, &object);
    assert_eq!(place.letters().len(), 3);
    assert!(place.letters().iter().all(|path| fs::metadata(path).unwrap().len() <= 24 << 20));
    let first = place.letters().remove(0);
    fs::copy(&first, place.path.join("new/9999999999.double.host")).unwrap();
    let store = place.open();
    assert_eq!(store.list(Kind::Pack).unwrap(), [Found { id, size: 40_000_000 }]);
    assert!(store.read(Kind::Pack, &id).unwrap() == object);
    assert!(
        store.read_range(Kind::Pack, &id, 13_000_000..29_000_000).unwrap() == object[13_000_000..29_000_000]
    );
    store.remove(Kind::Pack, &[]).unwrap();
    assert!(!place.path.join("new/9999999999.double.host").exists());
    // A part is gone: the object is not there, and writing it again sends that part alone.
    let rest = place.letters();
    fs::remove_file(&rest[1]).unwrap();
    let store = place.open();
    assert_eq!(store.list(Kind::Pack).unwrap(), []);
    put(&*store, Kind::Pack, &object);
    assert!(store.traffic().up < 20 << 20, "{:?}", store.traffic());
    assert!(place.open().read(Kind::Pack, &id).unwrap() == object);
    assert!(rest[0].exists() && rest[2].exists());
}

#[test]
fn several_vaults_have_to_be_told_apart() {
    let place = InMaildir::new();
    let [one, other] = [VaultId([1; 8]), VaultId([2; 8])];
    let open = |vault| Maildir::new(&place.path, vault, Arc::new(System));
    assert_eq!(open(None).vault_id().unwrap(), None);
    for vault in [one, other] {
        open(Some(vault)).create().unwrap();
        put(&open(Some(vault)), Kind::Key, &content(10, u64::from(vault.0[0])));
    }
    let undecided = open(None);
    for _ in 0..2 {
        let error = undecided.list(Kind::Key).unwrap_err();
        assert!(error.to_string().ends_with("several vaults: 0101010101010101, 0202020202020202"), "{error}");
    }
    for vault in [one, other] {
        let keys = open(Some(vault)).list(Kind::Key).unwrap();
        assert_eq!(keys, [Found { id: Id::of(&content(10, u64::from(vault.0[0]))), size: 10 }]);
    }
}

#[test]
fn a_config_that_was_not_removed_in_time_does_not_come_back() {
    let place = InMaildir::new();
    let store = place.store();
    store.create().unwrap();
    let vault = store.vault_id().unwrap().unwrap();
    put(&store, Kind::Config, &content(100, 1));
    put(&store, Kind::Config, &content(100, 2));
    // As if the process had been killed before it removed the first one; its file has the later name.
    let old = content(100, 1);
    let label =
        Label { vault, kind: Kind::Config, hash: Id::of(&old), size: 100, part: 1, parts: 1, serial: 1 };
    let text = letter::compose(&label, &old, Timestamp::UNIX_EPOCH, LineEnd::Lf);
    fs::write(place.path.join("cur/9999999999.old.host:2,S"), text).unwrap();
    let store = place.open();
    assert_eq!(store.read(Kind::Config, &Id::NONE).unwrap(), content(100, 2));
    put(&*store, Kind::Config, &content(100, 3));
    assert_eq!(place.letters().len(), 1);
    assert_eq!(place.open().read(Kind::Config, &Id::NONE).unwrap(), content(100, 3));
}

#[test]
fn what_a_crash_left_is_swept_when_it_is_old() {
    let place = InMaildir::new();
    place.open().create().unwrap();
    let hour = std::time::Duration::from_secs(3600);
    for (name, age, stays) in
        [("1.M1P1Q0.postkeep", 37, false), ("2.M1P1Q0.postkeep", 35, true), ("3.M1P1Q0.host", 37, true)]
    {
        let path = place.path.join("tmp").join(name);
        let file = fs::File::create(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - hour * age).unwrap();
        assert_eq!(place.open().list(Kind::Pack).unwrap(), []);
        assert_eq!(path.exists(), stays, "{name}");
    }
}

#[test]
fn a_folder_of_something_else_is_no_place_for_a_vault() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("letter.odt"), "x").unwrap();
    let create = |path: &Path| Maildir::new(path, None, Arc::new(System)).create();
    assert!(create(temp.path()).unwrap_err().to_string().contains("is no Maildir"));
}
