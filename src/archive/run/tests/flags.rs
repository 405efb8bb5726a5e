//! Flags that change.

use super::*;

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
