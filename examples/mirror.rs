//! postkeep as a library: mirror one folder into another, without profile, history or mail.
//!
//! cargo run --release --example mirror -- SOURCE TARGET

use jiff::Timestamp;
use postkeep::journal::Forgetful;
use postkeep::profile::{FilterRules, MaxDelete, Mode, SyncJob};
use postkeep::progress::{Meter, Silent};
use postkeep::run::{RootMarks, RunId};
use postkeep::sync::Request;

fn main() -> std::process::ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(source), Some(target)) = (args.next(), args.next()) else {
        eprintln!("usage: mirror SOURCE TARGET");
        return 2.into();
    };
    let job = SyncJob {
        source: source.into(),
        target: target.into(),
        mode: Mode::Mirror,
        filter: FilterRules::default(),
        one_file_system: true,
        create_target: true,
        check_roots: true,
        keep_versions: None,
        max_delete: MaxDelete::default(),
        allow_empty_source: false,
        flush: false,
    };
    let now = Timestamp::now();
    let finished = Request {
        profile: "mirror",
        job: &job,
        run: RunId::new(now, std::process::id().into()),
        now,
        marks: &RootMarks::default(),
        approve: None,
        meter: &Meter::default(),
        listener: &Silent,
        journal: &Forgetful,
        state: None,
    }
    .run();
    println!("{:#?}", finished.outcome);
    finished.outcome.status.exit_code().into()
}
