//! A vault in a folder: restic's layout, and what a crash or somebody else left there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use postkeep::vault::store::folder::Folder;
use postkeep::vault::store::{Id, Kind, Store};
use tempfile::TempDir;

use super::contract::{self, Mend, Place, content, put};

/// The files get their times from the machine's clock.
fn now() -> Timestamp {
    Timestamp::now()
}

struct InFolder {
    _temp: TempDir,
    path: PathBuf,
}

impl InFolder {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { path: temp.path().join("a/vault"), _temp: temp }
    }
}

impl Place for InFolder {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(Folder::new(&self.path, now()))
    }

    fn open_broken(&self) -> (Arc<dyn Store>, Mend) {
        let (data, away) = (self.path.join("data"), self.path.join("away"));
        fs::rename(&data, &away).unwrap();
        (self.open(), Box::new(move || fs::rename(away, data).unwrap()))
    }

    fn litter(&self) {
        let id = Id([0xab; 32]).to_string();
        let names = [
            "README",
            "config.bak",
            "config-tmp-1",
            "keys/x",
            "locks/.hidden",
            "index/ab",
            "data/README",
            "data/zz",
            "data/38/note",
        ];
        for name in names {
            fs::write(self.path.join(name), "x").unwrap();
        }
        for name in [
            format!("index/{}", id.to_uppercase()),
            format!("snapshots/{id}.old"),
            format!("data/ab/{id}-tmp-17"),
            format!("data/39/{id}"),
            format!("data/{id}"),
        ] {
            fs::write(self.path.join(name), "x").unwrap();
        }
        fs::create_dir(self.path.join("locks").join(&id)).unwrap();
        symlink("/etc/passwd", self.path.join("keys").join(&id)).unwrap();
    }
}

#[test]
fn of_many_who_make_a_vault_one_does() {
    contract::of_many_who_make_a_vault_one_does(&InFolder::new());
}

#[test]
fn a_folder_keeps_the_contract() {
    contract::check(&|| Box::new(InFolder::new()));
}

#[test]
fn packs_on_their_way_are_there_for_who_asks() {
    let place = InFolder::new();
    let store = place.open();
    store.create().unwrap();
    let packs: Vec<_> = (0..6).map(|seed| content(9 << 20, seed)).collect();
    for pack in &packs {
        let id = put(&*store, Kind::Pack, pack);
        assert_eq!(store.read_range(Kind::Pack, &id, 7..20).unwrap(), pack[7..20]);
    }
    let ids: Vec<_> = packs.iter().map(|pack| put(&*store, Kind::Pack, pack)).collect();
    assert_eq!(store.list(Kind::Pack).unwrap().len(), 6);
    let late = put(&*store, Kind::Pack, &content(9 << 20, 7));
    store.remove(Kind::Pack, &[ids[0], late]).unwrap();
    // Who goes without a word leaves nothing half done.
    let last = put(&*store, Kind::Pack, &content(9 << 20, 8));
    drop(store);
    let left: BTreeSet<_> = place.open().list(Kind::Pack).unwrap().iter().map(|found| found.id).collect();
    assert_eq!(left, ids[1..].iter().copied().chain([last]).collect());
}

#[test]
fn a_foreign_file_in_the_place_of_a_folder_of_packs_hides_no_pack() {
    let place = InFolder::new();
    let store = place.open();
    store.create().unwrap();
    let id = put(&*store, Kind::Pack, &content(99, 1));
    store.flush().unwrap();
    let own = id.to_string()[..2].to_owned();
    let other = if own == "ab" { "cd" } else { "ab" };
    let sub = place.path.join("data").join(other);
    fs::remove_dir(&sub).unwrap();
    fs::write(&sub, "x").unwrap();
    let list = || place.open().list(Kind::Pack);
    assert_eq!(list().unwrap().iter().map(|found| found.id).collect::<Vec<_>>(), [id]);
    let store = place.open();
    let missing = Id([u8::from_str_radix(other, 16).unwrap(); 32]);
    store.write(Kind::Pack, &missing, content(9, 1)).and_then(|()| store.flush()).unwrap_err();
    assert_eq!(fs::read(&sub).unwrap(), b"x");
    // Behind a link there may be packs: that they are gone would be a lie.
    fs::remove_file(&sub).unwrap();
    symlink(place.path.join("keys"), &sub).unwrap();
    list().unwrap_err();
}

#[test]
fn the_layout_and_its_modes_are_restics() {
    let place = InFolder::new();
    let store = place.open();
    store.create().unwrap();
    let id = put(&*store, Kind::Pack, &content(99, 1));
    put(&*store, Kind::Config, &content(99, 1));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let pack = place.path.join("data").join(&id.to_string()[..2]).join(id.to_string());
    for (path, wanted) in [
        (place.path.clone(), 0o700),
        (place.path.join("data/ff"), 0o700),
        (place.path.join("keys"), 0o700),
        (place.path.join("config"), 0o400),
        (pack, 0o400),
    ] {
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
    fs::set_permissions(place.path.join("config"), fs::Permissions::from_mode(0o440)).unwrap();
    let id = put(&*store, Kind::Index, &content(99, 2));
    assert_eq!(mode(&place.path.join("index").join(id.to_string())), 0o440);
}

#[test]
fn what_a_crash_left_is_swept_when_it_is_old() {
    let place = InFolder::new();
    place.open().create().unwrap();
    let id = Id([0x38; 32]).to_string();
    let hour = Duration::from_secs(3600);
    let mut files = Vec::new();
    for (name, age, stays) in [
        (format!("data/38/{id}-tmp-1"), 35, true),
        (format!("data/38/{id}-tmp-2"), 37, false),
        (format!("index/{id}-tmp-2"), 37, false),
        ("config-tmp-3".to_owned(), 37, false),
        ("data/38/other-tmp-2".to_owned(), 37, true),
        ("notes-tmp-2".to_owned(), 37, true),
    ] {
        let path = place.path.join(name);
        fs::write(&path, "x").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::from(now()) - hour * age).unwrap();
        files.push((path, stays));
    }
    for kind in Kind::ALL {
        assert_eq!(place.open().list(kind).unwrap(), []);
    }
    for (path, stays) in files {
        assert_eq!(path.exists(), stays, "{}", path.display());
    }
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let place = InFolder::new();
    let store = place.open();
    store.create().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let object = content(50, 1);
    let id = Id::of(&object);
    fs::write(outside.path().join(id.to_string()), &object).unwrap();
    let byte = id.to_string()[..2].to_owned();
    for name in [format!("data/{byte}"), "index".to_owned()] {
        fs::remove_dir(place.path.join(&name)).unwrap();
        symlink(outside.path(), place.path.join(&name)).unwrap();
    }
    symlink(outside.path().join(id.to_string()), place.path.join("keys").join(id.to_string())).unwrap();
    for kind in [Kind::Pack, Kind::Index, Kind::Key] {
        assert!(store.read(kind, &id).is_err(), "{kind:?}");
    }
    for kind in [Kind::Pack, Kind::Index] {
        assert!(store.list(kind).is_err(), "{kind:?}");
        assert!(store.remove(kind, &[id]).is_err(), "{kind:?}");
        let store = place.open();
        assert!(store.write(kind, &id, object.clone()).and_then(|()| store.flush()).is_err(), "{kind:?}");
    }
    // A link to a file is none of ours: it makes room for the object.
    store.write(Kind::Key, &id, object.clone()).unwrap();
    assert!(place.path.join("keys").join(id.to_string()).symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(outside.path().join(id.to_string())).unwrap(), object);
}

#[test]
fn a_folder_of_something_else_is_no_place_for_a_vault() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("letter.odt"), "x").unwrap();
    let error = Folder::new(temp.path(), now()).create().unwrap_err();
    assert!(error.to_string().ends_with("is no vault, and there is letter.odt in it"), "{error}");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    fs::remove_file(temp.path().join("letter.odt")).unwrap();
    fs::create_dir(temp.path().join("lost+found")).unwrap();
    Folder::new(temp.path(), now()).create().unwrap();
}

#[test]
fn a_torn_object_is_written_anew() {
    let place = InFolder::new();
    let store = place.open();
    store.create().unwrap();
    let object = content(500, 4);
    let id = put(&*store, Kind::Pack, &object);
    store.flush().unwrap();
    let path = place.path.join("data").join(&id.to_string()[..2]).join(id.to_string());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, &object[..100]).unwrap();
    assert!(store.read_range(Kind::Pack, &id, 50..150).is_err());
    put(&*store, Kind::Pack, &object);
    assert_eq!(store.read(Kind::Pack, &id).unwrap(), object);
}
