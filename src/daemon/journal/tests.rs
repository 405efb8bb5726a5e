use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

/// What a reader says from the beginning, without the times.
fn messages(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split_once(' ').expect("a time").1).collect()
}

fn last(dir: &Path, lines: usize) -> Vec<String> {
    Reader::open(dir, lines).unwrap().1
}

#[test]
fn a_line_has_its_time_and_is_one_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let journal = Journal::open(&state).unwrap();
    journal.say(at(0), "started");
    journal.say(at(1), "odd\n\x1b[31m \u{202e}name");
    let text = fs::read_to_string(state.join(NAME)).unwrap();
    let (time, message) = text.lines().next().unwrap().split_once(' ').unwrap();
    assert_eq!(time.parse::<Timestamp>().unwrap(), at(0));
    assert!(time.len() == "2026-11-23T02:14:07+01:00".len() && message == "started", "{text}");
    assert!(text.ends_with(" odd\\n\\u{1b}[31m \\u{202e}name\n"), "{text}");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&state), mode(&state.join(NAME))), (0o700, 0o600));

    // Opened again it goes on, and is private again.
    fs::set_permissions(state.join(NAME), Permissions::from_mode(0o644)).unwrap();
    Journal::open(&state).unwrap().say(at(2), "started again");
    assert_eq!(mode(&state.join(NAME)), 0o600);
    assert_eq!(last(&state, 9).len(), 3);
    assert_eq!(messages(&last(&state, 1)), ["started again"]);
}

#[test]
fn a_full_file_makes_way_and_a_reader_follows() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal { most: 10_400, ..Journal::open(dir.path()).unwrap() };
    let (mut reader, first) = Reader::open(dir.path(), 9).unwrap();
    assert!(first.is_empty() && reader.exists());
    let filler = "x".repeat(1000);
    let mut heard = Vec::new();
    for n in 0..25 {
        journal.say(at(n), &format!("{n} {filler}"));
        heard.extend(reader.more().unwrap());
    }
    assert_eq!(heard.len(), 25, "each line once, over two changes of files");
    assert!(messages(&heard).iter().enumerate().all(|(n, line)| line.starts_with(&format!("{n} "))));
    for name in [NAME, EARLIER] {
        assert!(fs::metadata(dir.path().join(name)).unwrap().len() <= 10_400);
    }
    let kept = last(dir.path(), 12);
    assert!(messages(&kept)[0].starts_with("13 ") && messages(&kept)[11].starts_with("24 "));
    assert_eq!(last(dir.path(), 1000).len(), 15, "10 in the earlier file, 5 in this one");
}

#[test]
fn a_file_that_is_taken_away_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, _) = Reader::open(dir.path(), 9).unwrap();
    assert!(!reader.exists());
    let journal = Journal::open(dir.path()).unwrap();
    journal.say(at(0), "one");
    assert_eq!(messages(&reader.more().unwrap()), ["one"]);
    fs::remove_file(dir.path().join(NAME)).unwrap();
    journal.say(at(1), "two");
    assert_eq!(messages(&reader.more().unwrap()), ["two"]);
    // Emptied by somebody: it is written on from the front, and read so.
    OpenOptions::new().write(true).truncate(true).open(dir.path().join(NAME)).unwrap();
    reader.more().unwrap();
    journal.say(at(2), "3");
    assert_eq!(messages(&reader.more().unwrap()), ["3"]);
    fs::write(dir.path().join(NAME), "no time \x1b[0m\nhalf a l").unwrap();
    assert_eq!(last(dir.path(), 9), ["no time \\u{1b}[0m"]);
    // The folder is gone altogether: nothing is said, and nothing happens.
    drop(dir);
    journal.say(at(3), "four");
}
