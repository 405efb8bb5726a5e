//! What is refused, or left out, or of a folder that breaks.

use super::*;
use crate::vault::store::memory::Memory;

#[test]
fn what_was_refused_is_not_forgotten_because_of_a_server_that_lags_behind() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..4).for_each(|n| server.append(&n.to_string(), n));
        server.refused.insert(2);
    });
    assert_eq!(lab.run(), (Status::Warning, 3, 3));
    let lacks = || {
        let message = lock(&lab.server).messages.remove(&2).unwrap();
        assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
        lab.server(|server| drop(server.messages.insert(2, message)));
    };
    // It is listed and not given, and not even listed, and there in between.
    lab.server(|server| server.withheld = [2].into());
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
    lacks();
    lacks();
    lab.wait_for_days(1);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
    lacks();
    lab.server(|server| {
        server.withheld.clear();
        server.refused.clear();
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 4));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 4));
}

#[test]
fn what_was_refused_under_another_uidvalidity_is_waited_for_no_longer() {
    let lab = Lab::new();
    lab.server(|server| {
        (0..3).for_each(|n| server.append(&n.to_string(), n));
        server.refused.insert(2);
    });
    assert_eq!(lab.run(), (Status::Warning, 2, 2));
    lab.server(|server| {
        server.refused.clear();
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 1, 3));
    assert_eq!(lab.known().quarantine(None).unwrap(), []);
}

#[test]
fn an_archive_that_is_empty_remembers_what_it_looked_at_in_vain() {
    let mut lab = Lab::new();
    lab.only.larger_than = Some(100);
    lab.server(|server| {
        // Before they are fetched nobody knows how large they are.
        server.undated = true;
        (0..3).for_each(|n| server.append(&n.to_string(), n));
        server.refused.insert(2);
    });
    for _ in 0..3 {
        assert_eq!(lab.run(), (Status::Warning, 0, 0));
    }
    assert_eq!(lab.known().quarantine(None).unwrap()[0].tries, 3);
    assert_eq!(lock(&lab.server).given, 2);
    // And sees whether its vault is there.
    *lab.store.borrow_mut() = Arc::new(Memory::default());
    assert!(lab.outcome().error.is_some());
}

#[test]
fn a_folder_that_breaks_is_left_to_the_next_run() {
    for undated in [false, true] {
        let lab = Lab::new();
        lab.server(|server| {
            server.undated = undated;
            (0..3000).for_each(|n| server.append(&n.to_string(), n));
            server.broken = true;
        });
        assert_eq!(lab.run(), (Status::Failed, 0, 0));
        assert_eq!(lock(&lab.server).tried, 1);
        lab.server(|server| server.broken = false);
        assert_eq!(lab.run(), (Status::Ok, 3000, 3000));
    }
}
