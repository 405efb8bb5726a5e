//! Forgetting, pruning, locks; and restic beside us all the while.

use super::Vaulted;

fn count(vaulted: &Vaulted) -> usize {
    vaulted.objects("snapshots").len()
}

#[test]
fn what_the_rules_do_not_keep_is_forgotten_and_pruned_in_two_steps() {
    let Some(vaulted) = Vaulted::new() else { return };
    for n in 0..4 {
        let noise: String =
            (0..50_000_u32).map(|k| format!("{:08x}", (k + n).wrapping_mul(2_654_435_761))).collect();
        vaulted.sandbox.write("source/file", &noise);
        vaulted.save();
    }
    let ran = vaulted.run(&["forget"]).expect(2);
    assert!(ran.stderr.contains("no rule that says what to keep"), "{}", ran.stderr);
    let ran = vaulted.run(&["forget", "--keep-last", "1", "-n"]).expect(0);
    assert!(ran.stdout.contains("1 snapshot kept, 3 would be forgotten"), "{}", ran.stdout);
    assert_eq!((ran.stdout.matches("  forget").count(), count(&vaulted)), (3, 4), "{}", ran.stdout);
    vaulted.run(&["forget", "--keep-last", "3"]).expect(0);
    assert_eq!(count(&vaulted), 3);
    vaulted.run(&["forget", "latest~2"]).expect(0);
    assert_eq!(count(&vaulted), 2);
    let ran = vaulted.run(&["forget", "--keep-last", "0"]).expect(0);
    assert!(ran.stdout.contains("the last one of its group"), "{}", ran.stdout);
    assert_eq!(count(&vaulted), 1);
    let ran = vaulted.run(&["forget", "latest"]).expect(2);
    assert!(ran.stderr.contains("unsafe-allow-remove-all"), "{}", ran.stderr);

    let packs = vaulted.objects("data");
    let ran = vaulted.run(&["prune", "-n"]).expect(0);
    assert!(ran.stdout.contains("would be marked"), "{}", ran.stdout);
    let ran = vaulted.run(&["prune", "--max-unused", "0"]).expect(0);
    assert!(ran.stdout.contains("marked: ") && ran.stdout.contains("23 hours"), "{}", ran.stdout);
    let left = vaulted.objects("data");
    assert!(packs.iter().all(|pack| left.contains(pack)), "a pack went in the first step");
    vaulted.run(&["verify", "--read-data"]).expect(0);
    let target = vaulted.sandbox.path("back");
    vaulted.run(&["restore", &vaulted.latest(""), "-t", target.to_str().unwrap()]).expect(0);
    assert_eq!(vaulted.sandbox.read("back/file"), vaulted.sandbox.read("source/file"));
    let checked = vaulted.restic(&["check", "--read-data"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let ran = vaulted.run(&["forget", "latest", "--unsafe-allow-remove-all", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["groups"][0]["snapshots"][0]["keep"], false);
    assert_eq!(count(&vaulted), 0);
}

#[test]
fn a_lock_of_restics_is_respected_and_can_be_removed() {
    let Some(vaulted) = Vaulted::new() else { return };
    vaulted.sandbox.write("source/a", "a");
    vaulted.save();
    // restic leaves its lock behind when it is killed while it waits for its input.
    let mut command = std::process::Command::new("restic");
    command.arg("--repo").arg(vaulted.sandbox.path("vault")).args(["backup", "--stdin"]);
    command.env("RESTIC_PASSWORD_FILE", vaulted.sandbox.path("password"));
    command.env("XDG_CACHE_HOME", vaulted.sandbox.path("restic-cache"));
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    for _ in 0..600 {
        if !vaulted.objects("locks").is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ran = vaulted.run(&["prune"]).expect(11);
    assert!(ran.stderr.contains("hint:"), "{}", ran.stderr);
    let ran = vaulted.run(&["forget", "latest", "--unsafe-allow-remove-all"]).expect(11);
    assert_eq!(ran.stdout, "", "it is told before it is done");
    vaulted.run(&["snapshots"]).expect(0);
    vaulted.run(&["verify"]).expect(0);
    let ran = vaulted.run(&["vault", "unlock"]).expect(0);
    assert!(
        ran.stdout.contains("0 locks removed") && ran.stdout.contains("still locked by"),
        "{}",
        ran.stdout
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = vaulted.run(&["vault", "unlock"]).expect(0);
    assert!(ran.stdout.contains("1 lock removed"), "its process is gone: {}", ran.stdout);
    vaulted.run(&["prune"]).expect(0);
}
