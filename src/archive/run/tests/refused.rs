//! What is refused, or left out, or of a folder that breaks.

use super::*;

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
