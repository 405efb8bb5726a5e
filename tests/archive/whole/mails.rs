//! Real mails, many of them broken, into a vault and out again.

use std::fs;
use std::path::Path;

use super::Archive;
use crate::lab;

#[test]
fn real_mails_are_archived_byte_for_byte() {
    let Some(lab) = lab::get() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("left out: the collection of real mails is not beside this checkout");
        return;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    // NUL has no place in a mailbox (RFC 9051, 9).
    let mails: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let mails: Vec<_> = mails.into_iter().filter(|mail| !mail.contains(&0) && !mail.is_empty()).collect();
    let archive = Archive::new(lab, "user54", "checkpoint = '2MB'");
    archive.append("Real", 0, &mails);
    archive.pulled("ok", mails.len() as u64);
    let held = archive.messages("Real");
    assert_eq!(held.len(), mails.len());
    let Some(restored) = archive.restored() else { return };
    assert_eq!(restored.len(), mails.len());
    for (path, bytes) in &restored {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let uid: u32 = name.rsplit('.').next().unwrap().parse().unwrap();
        assert!(held.get(&uid) == Some(bytes), "{} is not what the server gave", path.display());
    }
    // One snapshot for all slices.
    assert_eq!(archive.json(&["snapshots", "mail"]).as_array().unwrap().len(), 1);
    let listed = archive.run(&["archive", "ls", "mail", "--json"]).expect(0);
    assert_eq!(listed.stdout.lines().count(), mails.len());
    archive.pulled("unchanged", 0);
}
