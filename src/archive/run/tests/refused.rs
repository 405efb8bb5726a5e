//! What is refused, or left out, or of a folder that breaks.

use super::*;

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
