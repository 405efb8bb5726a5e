//! Runs against a scripted mailbox and a vault in memory.

mod flags;
mod lab;
mod refused;

use std::sync::Arc;

use jiff::SignedDuration;

use self::lab::{Lab, Server};
use super::*;
use crate::archive::source::{Listed, Listing, Since, Take};
use crate::error::Kind as ErrorKind;
use crate::mutex::lock;
use crate::run::Status;
use crate::vault::snapshot::full;
use crate::vault::store::Kind;

#[test]
fn what_cannot_be_asked_for_is_told_by_each_run() {
    let lab = Lab::new();
    lab.server(|server| {
        server.append("a", 1);
        server.unnamed.push("l f".into());
    });
    assert_eq!(lab.run(), (Status::Warning, 1, 1));
    // Also where there is nothing new.
    assert_eq!(lab.run(), (Status::Warning, 0, 1));
    lab.server(|server| server.unnamed.clear());
    assert_eq!(lab.run(), (Status::Unchanged, 0, 1));
}

#[test]
fn what_was_refused_is_waited_for_as_long_as_it_is_there() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..4).for_each(|n| server.append(&n.to_string(), n));
        server.refused = [2, 3].into();
    });
    assert_eq!(lab.run(), (Status::Warning, 2, 2));
    assert_eq!(lab.run(), (Status::Warning, 0, 2));
    lab.server(|server| {
        server.refused.remove(&2);
        server.messages.remove(&3);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 3));
    assert_eq!(lab.known().quarantine(None).unwrap().len(), 1, "it may come back");
    lab.wait_for_days(1);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
    assert_eq!(lab.known().quarantine(None).unwrap(), []);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
}

#[test]
fn a_large_message_that_cannot_be_read_keeps_no_other_out() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..4).for_each(|n| server.append(&n.to_string(), n));
        server.shrunk.insert(2);
    });
    assert_eq!(lab.run(), (Status::Warning, 3, 3));
    lab.server(|server| server.append("new", 10));
    assert_eq!(lab.run(), (Status::Warning, 1, 4));
    lab.server(|server| server.shrunk.clear());
    assert_eq!(lab.run(), (Status::Ok, 1, 5));
}

#[test]
fn a_folder_that_is_made_anew_between_two_questions_is_listed_whole() {
    let lab = Lab::new();
    lab.server(|server| (0..5).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    lab.server(|server| {
        // Its UID will be below those that were seen.
        server.messages.remove(&1);
        server.messages.insert(1, ("other".into(), 9));
        server.append("news", 10);
        server.anew = true;
    });
    assert_eq!(lab.run(), (Status::Ok, 2, 7));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 7));
}

#[test]
fn uids_that_are_given_once_more_hide_no_message() {
    let lab = Lab::new();
    lab.server(|server| (0..5).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    lab.server(|server| {
        server.messages.clear();
        server.next = 1;
        server.append("0", 0);
        server.append("new", 100);
    });
    assert_eq!(lab.run().0, Status::Ok);
    let vault = lab.opened();
    let last = vault.last_snapshot("mail", Some("nas")).unwrap().unwrap();
    assert_eq!(last.summary.unwrap().total_files_processed, 6);
    assert_eq!(lab.run().0, Status::Unchanged);
}

#[test]
fn a_server_that_was_restored_hides_no_message_behind_its_uids() {
    let lab = Lab::new();
    lab.server(|server| {
        server.mod_seq = Some(100);
        (0..5).for_each(|n| server.append(&n.to_string(), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    lab.server(|server| {
        // The last ones were not in the backup, and their UIDs are given again.
        server.mod_seq = Some(90);
        server.messages.retain(|uid, _| *uid < 4);
        server.next = 4;
        (10..14).for_each(|n| server.append(&n.to_string(), n));
    });
    assert_eq!(lab.run().0, Status::Ok);
    assert_eq!(lab.readable(), 9);
    assert_eq!(lab.run().0, Status::Unchanged);
}

#[test]
fn a_server_that_was_restored_and_caught_up_hides_no_message() {
    let lab = Lab::new();
    lab.server(|server| {
        server.mod_seq = Some(100);
        (0..25).for_each(|n| server.append(&n.to_string(), n));
        // Who is left out is in the way of nobody.
        (0..5).for_each(|n| server.append(&format!("ours {n}"), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 25, 25));
    // The last one goes into another folder: that is no reason to list all again.
    lab.server(|server| {
        server.mod_seq = Some(101);
        server.messages.remove(&25);
        server.append("25", 25);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 26));
    assert!(lock(&lab.server).asked > 1);
    // Its last hours are lost, and so many mails come that it is farther than it was. Some of them have numbers of such as
    // were left out.
    lab.server(|server| {
        server.mod_seq = Some(105);
        server.messages.retain(|uid, _| *uid < 24);
        server.next = 24;
        (0..10).for_each(|n| server.append(&format!("new {n}"), 100 + n));
    });
    assert_eq!((lab.run().0, lab.readable()), (Status::Ok, 36));
    assert_eq!(lab.run().0, Status::Unchanged);
    assert_eq!(lock(&lab.server).asked, 0);
}

#[test]
fn a_server_that_was_restored_hides_nothing_that_comes_when_that_was_seen() {
    let lab = Lab::new();
    lab.server(|server| (0..4).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 4, 4));
    let restored = |server: &mut Server| {
        server.messages.retain(|uid, _| *uid < 3);
        server.next = 3;
    };
    lab.server(restored);
    assert_eq!(lab.run().0, Status::Unchanged);
    lab.server(|server| (0..2).for_each(|n| server.append(&format!("new {n}"), 100 + n)));
    assert_eq!((lab.run().0, lab.readable()), (Status::Ok, 6));
    // Once more, and the next mails come one after the other.
    lab.server(restored);
    for n in 0..3 {
        lab.server(|server| server.append(&format!("newer {n}"), 200 + n));
        assert_eq!((lab.run().0, lab.readable()), (Status::Ok, 7 + n.unsigned_abs()));
    }
    assert_eq!(lab.run().0, Status::Unchanged);
}

#[test]
fn a_message_of_which_nothing_is_told_keeps_its_flags() {
    let lab = Lab::new();
    lab.server(|server| {
        server.flags = vec!["a".into()];
        server.append("0", 0);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 1));
    lab.server(|server| {
        server.mute.insert(1);
        server.append("1", 1);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 2));
    let (known, keys) = (lab.known(), ["7.1", "7.2"]);
    let all = known.known(known.folders().unwrap()[0].id, keys).unwrap();
    assert!(all.into_iter().all(|message| message.unwrap().facts.flags == ["a"]));
}

#[test]
fn messages_without_a_date_come_in_as_many_slices_as_memory_wants() {
    let lab = Lab::new();
    lab.server(|server| {
        server.undated = true;
        (0..300).for_each(|n| server.append(&n.to_string(), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 300, 300));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 300));
}

#[test]
fn messages_without_a_date_are_known_again_by_their_content() {
    let lab = Lab::new();
    lab.server(|server| {
        server.undated = true;
        // Each is there twice. They come in several slices.
        (0..200).for_each(|n| server.append(&format!("{}{}", ["", "bare "][n % 2], n / 4), 0));
    });
    assert_eq!(lab.run(), (Status::Ok, 200, 200));
    lab.server(Server::make_anew);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 200));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 200));
    // The catalogue is lost, and one of two that are equal is gone. Of another one there are three now, and of the new
    // ones two are equal, in different slices.
    Catalogue::clear_all(&lab.temp.path().join("state"), &"ab".repeat(32)).unwrap();
    lab.server(|server| {
        server.messages.insert(1, ("bare new".into(), 0));
        server.append("bare 7", 0);
        (0..200).for_each(|n| server.append(&format!("new {n}"), 0));
        server.append("bare new", 0);
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 203, 403));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 403));
}

#[test]
fn messages_that_lost_their_dates_are_known_again_by_their_content() {
    let lab = Lab::new();
    lab.server(|server| (0..40).for_each(|n| server.append(&format!("bare {n}"), n)));
    assert_eq!(lab.run(), (Status::Ok, 40, 40));
    lab.server(|server| {
        server.messages.values_mut().for_each(|(_, second)| *second = 1000);
        server.append("0", 1000);
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 41));
}

#[test]
fn what_is_too_young_is_taken_when_it_is_old_enough() {
    for undated in [false, true] {
        let mut lab = Lab::new();
        lab.only.newer_than = Some(SignedDuration::from_hours(24 * 10));
        let append = |server: &mut Server, day: i64| {
            server.append(&format!("day {day}"), 698_796_800 + (day - 1) * 86_400);
        };
        lab.server(|server| {
            server.undated = undated;
            [1, 10, 12].iter().for_each(|day| append(server, *day));
        });
        // It is the fourteenth.
        assert_eq!(lab.run(), (Status::Ok, 1, 1));
        assert_eq!(lab.run(), (Status::Unchanged, 0, 1));
        assert_eq!(lock(&lab.server).asked, 1, "they, and the last one that is known");
        lab.server(|server| append(server, 2));
        assert_eq!(lab.run(), (Status::Ok, 1, 2));
        for (days, files) in [(7, 3), (1, 4)] {
            lab.wait_for_days(days);
            assert_eq!(lab.run(), (Status::Ok, 1, files));
        }
        lab.server(|server| server.asked = 77);
        assert_eq!(lab.run(), (Status::Unchanged, 0, 4));
        assert_eq!(lock(&lab.server).asked, 77, "nobody looks any more");
    }
}

#[test]
fn a_size_that_nobody_tells_leaves_no_message_out() {
    let mut lab = Lab::new();
    lab.only.smaller_than = Some(1000);
    lab.server(|server| {
        // Neither does it tell a size.
        server.undated = true;
        server.append("long enough", 1);
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 1));
    lab.only.smaller_than = Some(2000);
    lab.server(|server| server.append("too short", 1));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 1));
}

#[test]
fn flags_are_followed_where_nothing_tells_that_they_changed() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..5).for_each(|n| server.append(&n.to_string(), n));
        // They are far behind what is listed.
        server.next = 200;
    });
    assert_eq!(lab.run(), (Status::Ok, 5, 5));
    let mark = |flag: &str| lab.server(|server| server.flags = vec![flag.into()]);
    // How many have this flag, and how often all flags were told.
    let flagged = |flag: &str| {
        let known = lab.known();
        let keys: Vec<_> = (1..9).chain(200..203).map(|uid| format!("7.{uid}")).collect();
        let inbox = known.folders().unwrap()[0].id;
        let all = known.known(inbox, keys.iter().map(String::as_str)).unwrap().into_iter().flatten();
        (all.filter(|message| message.facts.flags == [flag]).count(), lock(&lab.server).told)
    };
    // Without other news it costs nothing until the next day.
    mark("a");
    assert_eq!((lab.run(), flagged("a")), ((Status::Unchanged, 0, 5), (0, 0)));
    lab.wait_for_days(1);
    assert_eq!((lab.run(), flagged("a")), ((Status::Ok, 0, 5), (5, 1)));
    mark("b");
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 5), (0, 1)));
    // With other news it is known at once. A server that does not tell hides nothing that is new.
    lab.server(|server| {
        server.append("new", 9);
        server.refused.insert(0);
    });
    assert_eq!((lab.run(), flagged("b")), ((Status::Ok, 1, 6), (1, 2)));
    lab.server(|server| {
        server.append("newer", 9);
        server.refused.clear();
    });
    assert_eq!((lab.run(), flagged("b")), ((Status::Ok, 1, 7), (7, 3)));
    lab.wait_for_days(1);
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 7), (7, 4)));
    assert_eq!((lab.run(), flagged("b")), ((Status::Unchanged, 0, 7), (7, 4)));
}

#[test]
fn flags_that_are_not_told_keep_nothing_from_coming() {
    let lab = Lab::new();
    lab.server(|server| {
        server.append("0", 0);
        server.next = 200;
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 1));
    lab.server(|server| {
        server.append("1", 1);
        (server.breaks, server.flags) = (true, vec!["a".into()]);
    });
    assert_eq!(lab.run(), (Status::Warning, 1, 2));
    // Each day it is tried again.
    lab.wait_for_days(1);
    assert_eq!(lab.run(), (Status::Warning, 0, 2));
    lab.server(|server| server.breaks = false);
    assert_eq!(lab.run(), (Status::Ok, 0, 2));
    assert_eq!(lock(&lab.server).told, 3);
}

#[test]
fn a_vault_that_was_made_anew_is_no_archive() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    lab.new_vault();
    assert_eq!(lab.run(), (Status::Failed, 3, 3));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
}

#[test]
fn what_a_vault_lost_is_taken_again_after_a_repair() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let store = Arc::clone(&lab.store.borrow());
    let packs: Vec<_> = store.list(Kind::Pack).unwrap();
    // The smaller one has the contents, or the trees: once each.
    for pack in packs {
        store.remove(Kind::Pack, &[pack.id]).unwrap();
        assert_eq!(lab.opened().repair().unwrap().lost.len(), 1);
        Catalogue::clear_all(&lab.temp.path().join("state"), &"ab".repeat(32)).unwrap();
        assert_eq!(lab.run(), (Status::Warning, 3, 3));
        assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
        assert_eq!(lab.readable(), 3);
    }
}

#[test]
fn what_another_machine_repaired_is_told_and_taken_again() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let other = lab.other();
    // It has no snapshot of its own yet.
    assert_eq!(other.run(), (Status::Unchanged, 0, 3));
    lab.server(|server| server.append("3", 3));
    assert_eq!(other.run(), (Status::Ok, 1, 4));
    let store = Arc::clone(&lab.store.borrow());
    let mut lost = Vec::new();
    for pack in store.list(Kind::Pack).unwrap() {
        store.remove(Kind::Pack, &[pack.id]).unwrap();
        assert_eq!(lab.opened().repair().unwrap().lost.len(), 1);
        lost.push(4 - other.readable());
        let status = if lost.last() == Some(&0) { Status::Unchanged } else { Status::Failed };
        assert_eq!(other.run(), (status, lost[lost.len() - 1], 4));
        assert_eq!((other.readable(), other.run()), (4, (Status::Unchanged, 0, 4)));
    }
    lost.sort_unstable();
    assert_eq!(lost, [0, 1, 3, 4], "trees of the first alone, contents, and trees");
}

#[test]
fn a_snapshot_that_is_gone_is_told_if_it_took_messages_along() {
    let lab = Lab::new();
    lab.server(|server| (0..3).for_each(|n| server.append(&n.to_string(), n)));
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    let store = Arc::clone(&lab.store.borrow());
    let before = store.list(Kind::Snapshot).unwrap();
    lab.server(|server| server.append("3", 3));
    assert_eq!(lab.run(), (Status::Ok, 1, 4));
    // The one before is there alone: what came after it is not in the archive.
    let all = store.list(Kind::Snapshot).unwrap();
    let last: Vec<_> = all.iter().filter(|one| !before.contains(one)).map(|one| one.id).collect();
    store.remove(Kind::Snapshot, &last).unwrap();
    assert_eq!(lab.run(), (Status::Failed, 1, 4));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 4));
    // One of another machine has as much.
    let other = lab.other();
    assert_eq!(other.run(), (Status::Unchanged, 0, 4));
    lab.server(|server| server.append("4", 4));
    assert_eq!(lab.run(), (Status::Ok, 1, 5));
    let newest = lab.opened().last_snapshot("mail", Some("nas")).unwrap().unwrap();
    let gone: Vec<_> = store.list(Kind::Snapshot).unwrap().into_iter().map(|one| one.id).collect();
    let gone: Vec<_> = gone.into_iter().filter(|id| id.to_string() != full(&newest.id)).collect();
    store.remove(Kind::Snapshot, &gone).unwrap();
    assert_eq!(other.run().0, Status::Unchanged);
}

#[test]
fn a_source_is_left_if_it_does_not_come_back_or_many_folders_fail() {
    struct Shaky(bool);
    impl Source for Shaky {
        fn place(&self) -> String {
            "imap:box".into()
        }
        fn folders(&mut self) -> Result<Vec<Folder>> {
            Ok(Vec::new())
        }
        fn is_up(&self) -> bool {
            false
        }
        fn comes_back(&mut self) -> bool {
            self.0
        }
        fn list(&mut self, _: &Folder, _: Since) -> Result<Listing> {
            Ok(Listing::default())
        }
        fn fetch(&mut self, _: &Folder, _: &[Listed], _: &mut Take<'_>) -> Result<()> {
            Ok(())
        }
    }
    for (kind, comes_back, slow, lost) in [
        (ErrorKind::Other, true, 0, false),
        (ErrorKind::Other, true, MOST_BROKEN - 1, false),
        (ErrorKind::Other, true, MOST_BROKEN, true),
        (ErrorKind::Other, false, 0, true),
        (ErrorKind::Paused, true, 0, true),
        (ErrorKind::Login, true, 0, true),
    ] {
        let error = Error::new(kind, "it broke");
        assert_eq!(is_lost(&mut Shaky(comes_back), &error, slow), lost, "{error:?} {comes_back} {slow}");
    }
}
