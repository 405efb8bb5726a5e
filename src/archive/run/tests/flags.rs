//! Flags that change.

use super::*;

#[test]
fn flags_of_what_is_known_again_by_its_content_are_followed() {
    let mut lab = Lab::new();
    lab.server(|server| {
        server.mod_seq = Some(5);
        (0..9).for_each(|n| server.append(&format!("bare {n}"), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 9, 9));
    lab.server(|server| {
        // In another order than they lie.
        server.messages.values_mut().for_each(|(_, second)| *second = 100 - *second);
        server.flags = vec!["\\Seen".into()];
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Ok, 0, 9));
    assert_eq!(lab.flagged(8, "\\Seen"), 9);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 9));
    // Other rules want another look at all of them. When they came is known by now, so none is fetched again.
    let given = lock(&lab.server).given;
    lab.only.larger_than = Some(1 << 20);
    assert_eq!(lab.run(), (Status::Unchanged, 0, 9));
    assert_eq!(lock(&lab.server).given, given);
    // Of two nothing is told but that they are there.
    lab.server(|server| {
        server.mute.extend([2, 3]);
        server.make_anew();
    });
    assert_eq!(lab.run(), (Status::Unchanged, 0, 9));
    assert_eq!(lab.flagged(9, "\\Seen"), 9);
}

#[test]
fn flags_of_a_message_of_which_nobody_knows_when_it_came_are_followed() {
    let lab = Lab::new();
    lab.now.set(lab.now.get() + SignedDuration::from_millis(1234));
    lab.server(|server| {
        server.undated = true;
        (0..3).for_each(|n| server.append(&n.to_string(), n));
    });
    assert_eq!(lab.run(), (Status::Ok, 3, 3));
    lab.server(|server| server.flags = vec!["x".into()]);
    lab.wait_for_days(1);
    assert_eq!((lab.run(), lab.flagged(7, "x")), ((Status::Ok, 0, 3), 3));
    assert_eq!(lab.run(), (Status::Unchanged, 0, 3));
}
