use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;

use super::*;

const VAULT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn facts(n: u32) -> Facts {
    Facts {
        file: format!("2024/01/{n}.eml"),
        date: at(1_700_000_000 + i64::from(n / 3)),
        size: u64::from(1_000 + n % 3),
        sha256: [u8::try_from(n % 251).unwrap(); 32],
        flags: vec!["\\Seen".into()],
        labels: Vec::new(),
    }
}

fn stored(folder: FolderId, n: u32) -> Change {
    let message_id = Some(format!("<{n}@example.org>"));
    Change::Stored { folder, key: format!("7.{n}"), message_id, facts: facts(n) }
}

fn open(temp: &tempfile::TempDir) -> Catalogue {
    Catalogue::open(temp.path(), "mail", VAULT).unwrap()
}

fn commit<'a>(snapshot: &'a str, changes: &'a [Change]) -> Commit<'a> {
    Commit { snapshot: Some(snapshot), changes, ..Commit::default() }
}

fn one(catalogue: &Catalogue, folder: FolderId, key: &str) -> Option<Message> {
    catalogue.known(folder, [key]).unwrap().remove(0)
}

#[test]
fn a_step_is_recorded_with_its_snapshot_and_known_again() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    assert_eq!(catalogue.snapshot().unwrap(), None);
    let inbox = catalogue.folder("gmail", "INBOX", "/gmail/INBOX").unwrap();
    assert_eq!(catalogue.folder("gmail", "INBOX", "/gmail/INBOX").unwrap(), inbox);
    let mark =
        Mark { validity: u32::MAX, next: 4, messages: 3, mod_seq: Some(u64::MAX), looked: Some(at(9)) };
    let changes: Vec<_> = (1..=3).map(|n| stored(inbox.id, n)).collect();
    catalogue.commit(&Commit { marks: &[(inbox.id, mark)], ..commit(ONE, &changes) }).unwrap();

    let again = open(&temp);
    assert_eq!(again.snapshot().unwrap().as_deref(), Some(ONE));
    let known = again.known(inbox.id, ["7.3", "7.9", "7.1"]).unwrap();
    let known: Vec<_> = known.into_iter().map(|message| message.map(|message| message.facts)).collect();
    assert_eq!(known, [Some(facts(3)), None, Some(facts(1))]);
    let folders = again.folders().unwrap();
    assert_eq!(
        folders,
        [Folder {
            mark: Some(mark),
            stored: 3,
            bytes: facts(1).size + facts(2).size + facts(3).size,
            ..inbox.clone()
        }]
    );

    // Other flags, another key, and a message that was stored again.
    let first = one(&again, inbox.id, "7.1").unwrap();
    let flags = vec!["\\Seen".to_owned(), "$Label".to_owned()];
    let changes = [
        Change::Marked { message: first.id, flags: flags.clone(), labels: vec!["Reise, Büro".into()] },
        Change::Named { folder: inbox.id, key: "8.1".into(), message: first.id, date: None },
        Change::Stored {
            folder: inbox.id,
            key: "7.2".into(),
            message_id: None,
            facts: Facts { size: 5, ..facts(2) },
        },
    ];
    again.commit(&commit(TWO, &changes)).unwrap();
    let renamed = one(&catalogue, inbox.id, "8.1").unwrap();
    assert_eq!(
        (renamed.id, renamed.facts.flags, renamed.facts.labels),
        (first.id, flags, vec!["Reise, Büro".into()])
    );
    assert_eq!(one(&catalogue, inbox.id, "7.2").unwrap().facts.size, 5);
    let folder = &catalogue.folders().unwrap()[0];
    assert_eq!(
        (folder.stored, folder.bytes, folder.mark),
        (3, facts(1).size + 5 + facts(3).size, Some(mark))
    );
    catalogue.mark(inbox.id, None).unwrap();
    assert_eq!(catalogue.folders().unwrap()[0].mark, None);
}

#[test]
fn a_key_that_is_given_once_more_takes_no_message_away() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let inbox = catalogue.folder("a", "INBOX", "/a/INBOX").unwrap().id;
    catalogue.commit(&commit(ONE, &[stored(inbox, 1), stored(inbox, 2)])).unwrap();
    let old = one(&catalogue, inbox, "7.2").unwrap();
    let stored = |n| Change::Stored { folder: inbox, key: "7.2".into(), message_id: None, facts: facts(n) };
    let again =
        Change::Named { folder: inbox, key: "7.9".into(), message: old.id, date: Some(facts(9).date) };
    let marked = Change::Marked { message: old.id, flags: vec!["x".into()], labels: Vec::new() };
    catalogue.commit(&commit(TWO, &[stored(30), again, marked])).unwrap();
    assert_eq!(one(&catalogue, inbox, "7.2").unwrap().facts, facts(30));
    let renamed = one(&catalogue, inbox, "7.9").unwrap();
    assert_eq!(renamed.date(), facts(9).date);
    assert_eq!(renamed.facts, Facts { flags: vec!["x".into()], ..facts(2) });
    // One file is one message, whatever its key named last.
    catalogue.commit(&commit(ONE, &[stored(2)])).unwrap();
    assert_eq!(one(&catalogue, inbox, "7.2").unwrap().id, old.id);
    let folder = &catalogue.folders().unwrap()[0];
    assert_eq!((folder.stored, folder.bytes), (3, facts(1).size + facts(2).size + facts(30).size));
}

#[test]
fn a_message_with_a_new_key_is_found_by_what_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let inbox = catalogue.folder("a", "INBOX", "/a/INBOX").unwrap().id;
    let work = catalogue.folder("a", "Work", "/a/Work").unwrap().id;
    // 3, 4 and 5 came in the same second with different sizes; 3 lies in two folders.
    let mut changes: Vec<_> = (0..9).map(|n| stored(inbox, n)).collect();
    changes.push(stored(work, 3));
    changes.push(Change::Stored { folder: work, key: "x".into(), message_id: None, facts: facts(4) });
    catalogue.commit(&commit(ONE, &changes)).unwrap();
    let find = |folder, n: u32, size: u64, id: Option<&str>| {
        let look = Look { folder, date: facts(n).date, size, message_id: id };
        let found = catalogue.find(&look).unwrap();
        found.into_iter().map(|message| (message.folder, message.facts.file)).collect::<Vec<_>>()
    };
    let file = |n: u32| facts(n).file;
    let (three, four) = ("<3@example.org>", "<4@example.org>");
    assert_eq!(find(Some(inbox), 3, 1_000, Some(three)), [(inbox, file(3))]);
    assert_eq!(find(None, 3, 1_000, Some(three)), [(inbox, file(3)), (work, file(3))]);
    assert_eq!(find(Some(inbox), 3, 1_000, None), [(inbox, file(3))]);
    assert_eq!(find(Some(inbox), 3, 1_000, Some("<other>")), []);
    assert_eq!(find(Some(inbox), 3, 999, Some(three)), [(inbox, file(3))], "a size is not believed");
    assert_eq!(find(Some(inbox), 3, 999, None), []);
    assert_eq!(find(Some(inbox), 0, 1_000, Some(three)), [], "of another time");
    assert_eq!(find(None, 4, 1_001, Some(four)), [(inbox, file(4)), (work, file(4))]);
}

#[test]
fn a_message_with_a_new_key_is_found_by_its_content() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let [inbox, work] = ["/a/INBOX", "/a/Work"].map(|at| catalogue.folder("a", at, at).unwrap().id);
    assert_eq!(catalogue.last().unwrap(), MessageId(0));
    // 2 and 3 are the same message, as is the one in the other folder.
    let like = |folder, key: &str, id: Option<&str>, n| Change::Stored {
        folder,
        key: key.into(),
        message_id: id.map(str::to_owned),
        facts: facts(n),
    };
    let (one, two) = ("<1@example.org>", "<2@example.org>");
    let changes = [
        like(inbox, "a", Some(one), 1),
        like(inbox, "b", Some(two), 2),
        like(inbox, "c", Some(two), 2),
        like(work, "b", Some(two), 2),
        like(inbox, "d", None, 4),
    ];
    catalogue.commit(&commit(ONE, &changes)).unwrap();
    let reader = catalogue.reader().unwrap();
    let last = reader.last().unwrap();
    catalogue.commit(&commit(TWO, &[like(inbox, "e", Some(two), 2), like(inbox, "f", None, 4)])).unwrap();
    let equal = |n: u32, message_id| {
        let Facts { sha256, size, .. } = facts(n);
        let content = Content { folder: inbox, last, sha256, size, message_id };
        reader.equal(&content).unwrap().into_iter().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(equal(2, Some(two)), [2, 3]);
    assert_eq!((equal(4, None), equal(4, Some(""))), (vec![5], vec![5]));
    assert_eq!((equal(1, Some(two)), equal(2, None), equal(9, None)), (vec![], vec![], vec![]));
}

#[test]
fn what_cannot_be_fetched_is_kept_until_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let inbox = catalogue.folder("a", "INBOX", "/a/INBOX").unwrap().id;
    let sick = |key: &str, now: i64| Quarantined {
        folder: inbox,
        key: key.into(),
        size: u64::MAX,
        why: format!("why at {now}"),
        first: at(now),
        last: at(now),
        tries: 1,
        missing: None,
    };
    let step = |quarantined: &[Quarantined]| {
        catalogue.commit(&Commit { quarantined, ..commit(ONE, &[]) }).unwrap();
    };
    step(&[sick("7.1", 1), sick("7.2", 1), sick("7.3", 1)]);
    catalogue.miss(inbox, "7.2", Some(at(8))).unwrap();
    assert_eq!(catalogue.quarantine(None).unwrap()[1].missing, Some(at(8)));
    step(&[sick("7.2", 9)]);
    let twice = Quarantined { first: at(1), tries: 2, ..sick("7.2", 9) };
    assert_eq!(catalogue.quarantine(Some(inbox)).unwrap(), [sick("7.1", 1), twice.clone(), sick("7.3", 1)]);
    catalogue.commit(&commit(ONE, &[stored(inbox, 1)])).unwrap();
    assert!(catalogue.release(inbox, "7.3").unwrap() && !catalogue.release(inbox, "7.3").unwrap());
    catalogue.clear().unwrap();
    assert_eq!(catalogue.quarantine(None).unwrap(), [twice]);
    assert_eq!(catalogue.quarantine(Some(FolderId(99))).unwrap(), []);
}

fn found(folder: &str, n: u32) -> Found {
    Found {
        account: "a".into(),
        path: folder.into(),
        directory: format!("/a/{folder}"),
        key: format!("7.{n}"),
        message_id: Some(format!("<{n}@example.org>")),
        facts: facts(n),
    }
}

#[test]
fn a_rebuild_puts_all_messages_in_the_place_of_others_or_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let inbox = catalogue.folder("a", "INBOX", "/a/INBOX").unwrap().id;
    let mark = (inbox, Mark::default());
    catalogue
        .commit(&Commit { marks: &[mark], ..commit(ONE, &[stored(inbox, 1), stored(inbox, 2)]) })
        .unwrap();
    let broken = |take: &mut Take<'_>| -> Result<()> {
        take(found("Work", 5))?;
        Err(Error::other("lost"))
    };
    assert_eq!(catalogue.rebuild(TWO, broken).unwrap_err().to_string(), "lost");
    assert_eq!(catalogue.snapshot().unwrap().as_deref(), Some(ONE));
    assert_eq!((catalogue.folders().unwrap().len(), catalogue.folders().unwrap()[0].stored), (1, 2));

    // A key twice: the first one has it.
    let twice = Found { facts: Facts { file: "2025/01/2.eml".into(), ..facts(2) }, ..found("INBOX", 2) };
    let all = [found("INBOX", 2), twice, found("Work", 2)];
    catalogue.rebuild(TWO, |take| all.into_iter().try_for_each(take)).unwrap();
    assert_eq!(catalogue.snapshot().unwrap().as_deref(), Some(TWO));
    let folders = catalogue.folders().unwrap();
    let counts: Vec<_> = folders.iter().map(|f| (f.path.as_str(), f.stored, f.mark)).collect();
    assert_eq!(counts, [("INBOX", 2, None), ("Work", 1, None)]);
    assert_eq!(one(&catalogue, inbox, "7.1"), None);
    assert_eq!(one(&catalogue, inbox, "7.2").unwrap().facts, facts(2));
}

#[test]
fn a_catalogue_is_private_and_made_anew_when_it_is_damaged_but_not_when_it_is_somebody_elses() {
    let temp = tempfile::tempdir().unwrap();
    let inbox = open(&temp).folder("a", "INBOX", "/a/INBOX").unwrap().id;
    open(&temp).commit(&commit(ONE, &[stored(inbox, 1)])).unwrap();
    let file = temp.path().join("archive/mail.0123456789abcdef.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    fs::write(&file, "dear diary, ".repeat(1_000)).unwrap();
    assert_eq!(open(&temp).snapshot().unwrap(), None);
    open(&temp).commit(&commit(ONE, &[])).unwrap();
    Catalogue::remove(temp.path(), "mail", VAULT).unwrap();
    assert!(!file.exists());
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = Catalogue::open(temp.path(), "mail", VAULT).unwrap_err();
    assert!(error.one_line().contains("another program"), "{error:?}");
    assert!(
        error.hints().iter().any(|hint| hint.contains("made again from the vault")),
        "{:?}",
        error.hints()
    );
    for (profile, vault) in [("", VAULT), ("../x", VAULT), ("mail", "0123"), ("mail", "../../../../../etc/x")]
    {
        assert_eq!(Catalogue::open(temp.path(), profile, vault).unwrap_err().kind(), Kind::Usage);
    }
}

/// `cargo test --release --lib catalogue -- --ignored --nocapture` tells how quick it is.
#[test]
#[ignore = "a measurement"]
fn a_million_messages() {
    let temp = tempfile::tempdir().unwrap();
    let catalogue = open(&temp);
    let inbox = catalogue.folder("a", "INBOX", "/a/INBOX").unwrap().id;
    let tell =
        |what: &str, begun: std::time::Instant| println!("{what}: {:.2} s", begun.elapsed().as_secs_f64());
    let begun = std::time::Instant::now();
    catalogue.rebuild(ONE, |take| (0..1_000_000).map(|n| found("INBOX", n)).try_for_each(take)).unwrap();
    tell("rebuilt", begun);
    let begun = std::time::Instant::now();
    for slice in 0..10 {
        let from = 1_000_000 + slice * 20_000;
        let changes: Vec<_> = (from..from + 20_000).map(|n| stored(inbox, n)).collect();
        catalogue.commit(&commit(TWO, &changes)).unwrap();
    }
    tell("ten slices of 20,000", begun);
    drop(catalogue);
    let catalogue = open(&temp);
    let keys: Vec<_> = (0..20_000).map(|n| format!("7.{}", n * 55)).collect();
    let begun = std::time::Instant::now();
    let known = catalogue.known(inbox, keys.iter().map(String::as_str)).unwrap();
    tell("known: 20,000", begun);
    assert!(known.iter().all(Option::is_some));
    let begun = std::time::Instant::now();
    for n in (0..1_000_000).step_by(50) {
        let id = format!("<{n}@example.org>");
        let look = Look { folder: None, date: facts(n).date, size: 0, message_id: Some(&id) };
        assert_eq!(catalogue.find(&look).unwrap().len(), 1);
    }
    tell("find: 20,000", begun);
    let size = fs::metadata(temp.path().join("archive/mail.0123456789abcdef.db")).unwrap().len();
    println!("{} MB", size >> 20);
}
