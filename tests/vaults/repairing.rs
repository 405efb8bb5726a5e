//! A vault in which packs were lost is repaired: what the sources still have is stored anew.

use std::fs;
use std::path::PathBuf;

use crate::common::Sandbox;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("password", "open sesame, please\n");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(sandbox.path("password"), PermissionsExt::from_mode(0o600)).unwrap();
    let path = |name: &str| sandbox.path(name).display().to_string();
    let profile = format!(
        "kind = \"backup\"\nsource = {:?}\nvault = {:?}\nvault-password-file = {:?}\n",
        path("source"),
        path("vault"),
        path("password"),
    );
    sandbox.write("config/profiles/papers.toml", &profile);
    sandbox.write("source/gone", "only the old snapshot has this");
    sandbox.write("source/deep/kept", "this is there to be saved again");
    sandbox.run(&["vault", "init", "papers"]).expect(0);
    sandbox.run(&["run", "papers"]).expect(0);
    sandbox
}

fn packs(sandbox: &Sandbox) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(sandbox.path("vault/data")).into_iter().map(Result::unwrap);
    walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn what_the_sources_still_have_is_stored_anew_and_what_is_lost_stays_named() {
    // Whichever pack goes: contents, or the lists of folders.
    let count = packs(&sandbox()).len();
    assert!(count >= 2, "{count}");
    for lost in 0..count {
        for cached in [true, false] {
            let sandbox = sandbox();
            fs::remove_file(sandbox.path("source/gone")).unwrap();
            let mut packs = packs(&sandbox);
            packs.sort_by_key(|path| fs::metadata(path).unwrap().len());
            fs::remove_file(&packs[lost]).unwrap();
            let name = packs[lost].file_name().unwrap().to_str().unwrap().to_owned();
            if !cached {
                let _ = fs::remove_dir_all(sandbox.path("home/.cache"));
            }
            let ran = sandbox.run(&["verify", "papers"]).expect(1);
            assert!(ran.stdout.contains(&name[..8]) && ran.stdout.contains("vault repair"), "{}", ran.stdout);
            let ran = sandbox.run(&["vault", "repair", "papers"]).expect(0);
            assert!(ran.stdout.contains(&format!("lost: pack {name}")), "{}", ran.stdout);
            sandbox.run(&["run", "papers"]).expect(0);
            let ran = sandbox.run(&["verify", "papers", "--read-data"]).expect(1);
            let snapshots = sandbox.run(&["snapshots", "papers", "--json"]).expect(0);
            let list: serde_json::Value = serde_json::from_str(&snapshots.stdout).unwrap();
            let ids: Vec<_> =
                list.as_array().unwrap().iter().map(|one| &one["id"].as_str().unwrap()[..8]).collect();
            assert!(ran.stdout.contains(ids[0]) && !ran.stdout.contains(ids[1]), "{ids:?} {}", ran.stdout);
            let back = sandbox.path("back");
            sandbox.run(&["restore", "papers", "--target", back.to_str().unwrap()]).expect(0);
            let ran = sandbox.run(&["vault", "repair", "papers"]).expect(0);
            assert!(ran.stdout.contains("nothing to repair"), "{}", ran.stdout);
        }
    }
}

#[test]
fn an_index_that_cannot_be_read_is_made_again_from_the_packs() {
    let sandbox = sandbox();
    for entry in fs::read_dir(sandbox.path("vault/index")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(60);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    sandbox.run(&["verify", "papers"]).expect(1);
    let ran = sandbox.run(&["vault", "repair", "papers"]).expect(0);
    assert!(ran.stdout.contains("1 part of the index removed"), "{}", ran.stdout);
    assert!(ran.stdout.contains("found that the index did not name"), "{}", ran.stdout);
    sandbox.run(&["verify", "papers", "--read-data"]).expect(0);
}
