//! What a newcomer meets: a profile runs, its report arrives, a second run has nothing to do.

use crate::common::Sandbox;

#[test]
fn a_profile_runs_and_its_report_arrives() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/letter.txt", "Dear Ann");
    sandbox.write("source/sub/photo.jpg", "not really");

    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(ran.stdout.contains("docs: ok, 3 new; 18 bytes copied, 2 files looked at"), "{}", ran.stdout);
    assert!(ran.stdout.contains("state/mail/new/"), "it says where the report lies: {}", ran.stdout);
    assert_eq!(sandbox.read("target/letter.txt"), "Dear Ann");
    assert_eq!(sandbox.read("target/sub/photo.jpg"), "not really");

    let letters = sandbox.letters();
    assert_eq!(letters.len(), 1);
    let letter = mail_parser::MessageParser::default().parse(&letters[0]).unwrap();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!(letter.subject(), Some(format!("[OK] docs on {host}").as_str()));
    assert_eq!(letter.to().unwrap().first().unwrap().address(), Some("ann@example.org"));
    assert!(letter.body_text(0).unwrap().contains("3 new"));

    // The first success is told in any case; that nothing changed is not news.
    let ran = sandbox.run(&["run", "docs"]).expect(0);
    assert!(ran.stdout.contains("docs: unchanged, 2 files looked at in"), "{}", ran.stdout);
    assert_eq!(sandbox.letters().len(), 1);
    assert_eq!(sandbox.history().len(), 2);
}

#[test]
fn the_quickstart_of_the_readme_runs() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sandbox = Sandbox::new();
    // A copy of what it needs, so that the checkout stays clean.
    for folder in ["examples/quickstart", "src", "docs"] {
        for entry in walkdir::WalkDir::new(root.join(folder)).into_iter().map(Result::unwrap) {
            let path = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().is_file() && !path.contains("copy-of-") {
                sandbox.write(&format!("checkout/{path}"), "");
                std::fs::copy(entry.path(), sandbox.path(&format!("checkout/{path}"))).unwrap();
            }
        }
    }
    let config = sandbox.path("checkout/examples/quickstart");
    let args = ["--config", config.to_str().unwrap(), "run", "--all"];
    let ran = sandbox.run(&args).expect(0);
    assert!(ran.stdout.contains("code: ok") && ran.stdout.contains("docs: ok"), "{}", ran.stdout);
    assert_eq!(sandbox.letters().len(), 2);
    let lib = sandbox.read("checkout/examples/copy-of-src/lib.rs");
    assert_eq!(lib, std::fs::read_to_string(root.join("src/lib.rs")).unwrap());
    let ran = sandbox.run(&args).expect(0);
    assert_eq!(ran.stdout.matches(": unchanged, ").count(), 2, "{}", ran.stdout);
}

#[test]
fn a_run_without_a_name_lists_the_profiles() {
    let sandbox = Sandbox::with_mirror();
    let ran = sandbox.run(&["run"]).expect(2);
    assert!(ran.stderr.contains("docs") && ran.stderr.contains("mirror"), "{}", ran.stderr);
    let ran = sandbox.run(&["run", "dcos"]).expect(2);
    assert!(ran.stderr.contains("did you mean \"docs\"?"), "{}", ran.stderr);
    assert!(!sandbox.path("target").exists());
}

#[test]
fn a_run_of_all_of_no_profiles_is_a_mistake() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["run", "--all"]).expect(2);
    assert!(ran.stderr.contains("there are no profiles in"), "{}", ran.stderr);
}

#[test]
fn a_clock_that_went_back_does_not_hide_a_run() {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let state = postkeep::state::State::open(&sandbox.path("state")).unwrap();
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1000);
    let id = postkeep::run::RunId::new(ahead, 7);
    let (profile, trigger) = ("docs".into(), postkeep::run::Trigger::Manual);
    let begun = postkeep::state::Begun {
        id,
        profile,
        trigger,
        started: ahead,
        fingerprint: String::new(),
        serves: None,
    };
    state.history().begin(&begun).unwrap();
    drop(state);
    sandbox.run(&["run", "docs"]).expect(0);
    let status = sandbox.run(&["status", "--json"]).expect(0).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["profiles"][0]["status"], "ok", "{status}");
}

#[test]
fn without_any_configuration_the_way_is_shown() {
    let sandbox = Sandbox::new();
    let nowhere = sandbox.path("nowhere");
    let ran = sandbox.run(&["--config", nowhere.to_str().unwrap(), "run", "--all"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("postkeep init"), "{}", ran.stderr);
}
