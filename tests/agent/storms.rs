//! Sources that change in every way that the kernel tells of, and in some that it does not.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{Agent, until};
use crate::common::{Sandbox, left_out, tree_at_work};

fn live(more: &str) -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.profile(
        "docs",
        &format!("mode = \"mirror\"\non-change = \"1s\"\nevery = \"1d\"\nmax-delete = false\n{more}"),
    );
    sandbox
}

fn equal(sandbox: &Sandbox) -> bool {
    let (source, target) = (sandbox.path("source"), sandbox.path("target"));
    match (tree_at_work(&source), tree_at_work(&target)) {
        (Ok(source), Ok(target)) => source == target,
        // The agent is at work.
        _ => false,
    }
}

#[test]
fn twenty_thousand_files_at_once_and_folders_that_come_and_go() {
    let sandbox = live("");
    let agent = Agent::start(&sandbox, 1);
    for n in 0..20_000 {
        if n % 200 == 0 {
            fs::create_dir_all(sandbox.path(&format!("source/d{}/deep/er", n / 200))).unwrap();
        }
        fs::write(sandbox.path(&format!("source/d{}/deep/er/{n}", n / 200)), n.to_string()).unwrap();
    }
    until("the target is equal", || equal(&sandbox));
    // Written into a folder that was made just now, moved in, renamed, deleted.
    fs::create_dir_all(sandbox.path("elsewhere/moved/in")).unwrap();
    fs::write(sandbox.path("elsewhere/moved/in/file"), "1").unwrap();
    fs::rename(sandbox.path("elsewhere/moved"), sandbox.path("source/moved")).unwrap();
    until("what was moved in is there", || equal(&sandbox));
    fs::write(sandbox.path("source/moved/in/file"), "changed").unwrap();
    fs::rename(sandbox.path("source/d0"), sandbox.path("source/renamed")).unwrap();
    fs::remove_dir_all(sandbox.path("source/d1")).unwrap();
    until("all of that is there", || equal(&sandbox));
    fs::write(sandbox.path("source/renamed/deep/er/0"), "below a new name").unwrap();
    until("a write below a new name is seen", || equal(&sandbox));
    assert_eq!(agent.status()["watched"][0]["polled"], Value::Null);
    agent.stop();
    // What changes while nobody watches is copied when somebody does again.
    fs::write(sandbox.path("source/unseen"), "1").unwrap();
    let agent = Agent::start(&sandbox, 1);
    until("it is copied", || equal(&sandbox));
    agent.stop();
}

#[test]
fn a_root_that_is_deleted_and_made_anew_is_watched_again() {
    let sandbox = live("check-roots = false\nallow-empty-source = true");
    fs::write(sandbox.path("source/a"), "1").unwrap();
    // A minute is two seconds.
    let agent = Agent::start(&sandbox, 30);
    fs::write(sandbox.path("source/b"), "1").unwrap();
    until("the target is equal", || equal(&sandbox));
    fs::rename(sandbox.path("source"), sandbox.path("gone")).unwrap();
    until("that it is gone is known", || {
        agent.status()["watched"][0]["polled"].as_str().is_some_and(|why| why.starts_with("it is not there"))
    });
    fs::create_dir(sandbox.path("source")).unwrap();
    fs::write(sandbox.path("source/c"), "2").unwrap();
    until("the new one is copied", || equal(&sandbox));
    fs::write(sandbox.path("source/d"), "3").unwrap();
    until("the new one is watched", || equal(&sandbox));
    agent.stop();
}

/// Runs the agent below a command that makes a namespace; None where that may not be.
fn below<'s>(sandbox: &'s Sandbox, outer: &[&str], pace: u32) -> Option<Agent<'s>> {
    let (program, args) = outer.split_first().unwrap();
    if !Command::new(program).args(args).arg("true").status().is_ok_and(|status| status.success()) {
        left_out(&format!("`{}` does not work here", outer.join(" ")));
        return None;
    }
    let words = Agent::words(sandbox, pace);
    let plain = sandbox.command(&[]);
    let mut command = Command::new(program);
    command.args(args).arg(env!("CARGO_BIN_EXE_postkeep")).args(words).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(Agent::of(sandbox, command))
}

#[test]
fn a_mount_over_the_root_is_noticed() {
    if !rustix::process::geteuid().is_root() {
        return left_out("mounts are for root");
    }
    let sandbox = live("check-roots = false");
    fs::write(sandbox.path("source/a"), "1").unwrap();
    let Some(agent) = below(&sandbox, &["unshare", "--mount", "--propagation", "private"], 30) else {
        return;
    };
    fs::write(sandbox.path("source/b"), "1").unwrap();
    until("the target is equal", || equal(&sandbox));
    let inside = |script: &str| {
        let pid = agent.child.id().to_string();
        let mut command = Command::new("nsenter");
        // To enter a namespace leads to its root.
        let script = format!("cd {}; {script}", sandbox.path("").display());
        command.args(["--mount", "--target", &pid, "sh", "-ec", &script]);
        assert!(command.status().unwrap().success(), "{script}");
    };
    inside("mount -t tmpfs none source && echo over > source/over");
    until("what was mounted is copied", || {
        sandbox.path("target/over").exists() && !sandbox.path("target/a").exists()
    });
    inside("echo more > source/more");
    until("it is watched", || sandbox.path("target/more").exists());
    inside("umount source");
    until("what was covered is copied again", || equal(&sandbox));
    agent.stop();
}

#[test]
fn more_folders_than_may_be_watched_are_polled_and_the_status_says_so() {
    let sandbox = live("");
    for n in 0..200 {
        fs::create_dir_all(sandbox.path(&format!("source/d{n}"))).unwrap();
    }
    let limited = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-ec",
        "echo 50 > /proc/sys/user/max_inotify_watches; exec \"$@\"",
        "sh",
    ];
    // Ten minutes are a second.
    let Some(agent) = below(&sandbox, &limited, 600) else { return };
    until("the status says so", || {
        agent.status()["watched"][0]["polled"].as_str().is_some_and(|why| why.contains("max_user_watches"))
    });
    fs::write(sandbox.path("source/d7/a"), "1").unwrap();
    until("the target is equal all the same", || equal(&sandbox));
    agent.stop();
}

#[test]
fn sources_in_each_other_are_watched_each_for_itself() {
    let sandbox = live("");
    fs::create_dir_all(sandbox.path("source/sub")).unwrap();
    let inner = format!(
        "kind = \"sync\"\nsource = {:?}\ntarget = {:?}\nmode = \"mirror\"\non-change = true\n",
        sandbox.path("source/sub"),
        sandbox.path("inner")
    );
    sandbox.write("config/profiles/inner.toml", &inner);
    let agent = Agent::start(&sandbox, 30);
    until("both are watched", || agent.status()["watched"].as_array().unwrap().len() == 2);
    fs::remove_file(sandbox.path("config/profiles/inner.toml")).unwrap();
    until("one is gone", || agent.status()["watched"].as_array().unwrap().len() == 1);
    fs::write(sandbox.path("source/sub/a"), "1").unwrap();
    until("the other one still hears", || equal(&sandbox));
    agent.stop();
}
