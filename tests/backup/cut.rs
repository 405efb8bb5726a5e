//! A connection that is cut at many points of a run, and a server that goes for good.

use super::{Backup, port};
use crate::common::long;
use crate::lab;
use crate::lab::proxy::{Fault, Proxy};
use crate::save::noise;

#[test]
fn wherever_the_connection_is_cut_a_run_says_what_it_did_and_the_next_heals() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    let quiet = Proxy::new(port(lab), Fault::Cut, u64::MAX);
    backup.account("user27", quiet.port, "");
    backup.profile(&["imap:box/Cut"], "keep-last = 2");
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.fill("first", 4, 100_000);
    let before = quiet.passed(u64::MAX);
    backup.save().expect(0, "ok");
    let usual = quiet.passed(u64::MAX) - before;
    let points = if long() { 60 } else { 15 };
    let mut cuts = 0;
    for point in 0..points {
        (0..4).for_each(|n| backup.write(&format!("first/{n}"), noise(point << 8 | n, 100_000)));
        let proxy = Proxy::new(port(lab), Fault::Cut, usual * point / points + point * 7);
        backup.account("user27", proxy.port, "");
        let told = backup.save();
        cuts += u64::from(proxy.happened());
        drop(proxy);
        backup.account("user27", port(lab), "");
        match told.code {
            0 => backup.comes_back("1"),
            code => {
                assert!(code == 1 && !told.error().is_empty(), "{told:#?}");
                backup.save().expect(0, "ok");
            }
        }
    }
    assert!(cuts > points / 2, "{cuts} of {points} runs were cut");
    backup.save().expect(0, "unchanged");
    backup.comes_back("1");
    backup.is_sound("1");
}
