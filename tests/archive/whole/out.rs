//! Messages out of an archive again: shown, exported, put back.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::played::Played;
use super::{Archive, letters};
use crate::lab;
use crate::lab::proxy::{Fault, Proxy};

#[test]
fn messages_are_shown_exported_and_put_back() {
    let Some(lab) = lab::get() else { return };
    let other = Archive::new(lab, "user60", "");
    let archive = Archive::new(lab, "user61", "");
    archive.append("INBOX", 0, &letters(0..20));
    archive.append("Work/Büro", 20, &letters(20..25));
    let plan = archive.json(&["plan", "mail"]);
    assert_eq!(plan["folders"][0]["messages"], 20, "{plan:#}");
    archive.pulled("ok", 25);

    let listed = archive.run(&["archive", "ls", "mail", "--folder", "Work", "--json"]).expect(0).stdout;
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 5);
    let id = listed[0]["id"].as_str().unwrap();
    let raw = archive.sandbox.command(&["archive", "show", "mail", &id[..12], "--raw"]).output().unwrap();
    assert_eq!(raw.stdout, archive.messages("Work/Büro")[&1]);
    let shown = archive.run(&["archive", "show", "mail", &id[..12]]).expect(0).stdout;
    assert!(shown.contains("This is the text of message 20.") && shown.contains("In:"), "{shown}");

    let to = archive.sandbox.path("exported");
    let export = ["archive", "export", "mail", "--to", to.to_str().unwrap(), "--json"];
    let exported: Value = serde_json::from_str(&archive.run(&export).expect(0).stdout).unwrap();
    assert_eq!((&exported["written"], &exported["present"]), (&25.into(), &0.into()));
    let again: Value = serde_json::from_str(&archive.run(&export).expect(0).stdout).unwrap();
    assert_eq!((&again["written"], &again["present"]), (&0.into(), &25.into()));
    let files = walkdir::WalkDir::new(&to).into_iter().map(Result::unwrap);
    let emls: BTreeSet<_> = files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "eml"))
        .map(|file| fs::read(file.path()).unwrap())
        .collect();
    let held = |archive: &Archive| {
        let inbox = archive.messages("INBOX").into_values();
        inbox.chain(archive.messages("Work/Büro").into_values()).collect::<BTreeSet<_>>()
    };
    assert_eq!(emls, held(&archive));

    let main = archive.sandbox.read("config/postkeep.toml");
    let (secret, port) = (archive.sandbox.path("secret"), archive.account.port);
    archive.sandbox.write(
        "config/postkeep.toml",
        &format!(
            "{main}\n[accounts.new]\nuser = \"user60\"\npassword-file = {secret:?}\n\
             imap = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\" }}\n"
        ),
    );
    let restore = ["archive", "restore", "mail", "--to", "imap:new"];
    let planned = archive.json(&[&restore[..], &["-n"]].concat());
    let put: u64 = planned.as_array().unwrap().iter().map(|one| one["put"].as_u64().unwrap()).sum();
    assert_eq!((put, other.messages("INBOX").len()), (25, 0));
    assert_eq!(archive.json(&restore)["put"], 25);
    assert_eq!(held(&other), held(&archive));
    let again = archive.json(&restore);
    assert_eq!((&again["put"], &again["present"]), (&0.into(), &25.into()));
}

#[test]
fn what_is_put_back_keeps_to_the_budget_and_a_refused_login_is_tried_once() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user65", "");
    archive.append("INBOX", 0, &letters(0..100));
    archive.pulled("ok", 100);
    let main = archive.sandbox.read("config/postkeep.toml");
    let limited = main.replace("\"none\" }", "\"none\", upload-per-day = \"64 KiB\" }");
    archive.sandbox.write("config/postkeep.toml", &limited);
    let restore = ["archive", "restore", "mail", "--to", "imap:box/Back", "--json"];
    let put = |ran: &str| {
        let done: Value = serde_json::from_str(ran).unwrap();
        (done["put"].as_u64().unwrap(), done["present"].as_u64().unwrap())
    };
    let paused = archive.run(&restore).expect(3);
    let (first, _) = put(&paused.stdout);
    assert!((10..90).contains(&first), "{}", paused.stdout);
    for part in
        ["paused by the provider's budget: it goes on at 20", "put the rest then with the same command"]
    {
        assert!(paused.stderr.contains(part) && !paused.stderr.contains("download"), "{}", paused.stderr);
    }
    // Another call is no way around the budget.
    assert_eq!(put(&archive.run(&restore).expect(3).stdout), (0, first));
    archive.sandbox.write("config/postkeep.toml", &main);
    assert_eq!(put(&archive.run(&restore).expect(0).stdout), (100 - first, first));
    assert_eq!(archive.messages("Back/INBOX").len(), 100);

    archive.secret("secret", "wrong");
    archive.run(&restore).expect(1);
    let again = archive.run(&restore).expect(1);
    assert!(again.stderr.contains("not tried again with the secret that was refused"), "{}", again.stderr);
}

#[test]
fn attachments_that_may_be_missing_are_told() {
    let mut letter = String::from("Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    for n in 0..1200 {
        letter.push_str(&format!("--b\r\nContent-Type: image/png; name={n}.png\r\n\r\nx\r\n"));
    }
    letter.push_str("--b--\r\n");
    let server = Played::new();
    server.mailbox().fill("INBOX", 7, vec![letter.into_bytes()]);
    let archive = server.archive("");
    archive.pulled("ok", 1);
    let listed = archive.run(&["archive", "ls", "mail", "--json"]).expect(0).stdout;
    let id = serde_json::from_str::<Value>(listed.lines().next().unwrap()).unwrap()["id"].clone();
    let to = archive.sandbox.path("attached");
    let save = ["archive", "show", "mail", id.as_str().unwrap(), "--save-attachments", to.to_str().unwrap()];
    let ran = archive.run(&save).expect(1);
    assert!(ran.stderr.contains("200 more parts are not looked into"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1000);
}

#[test]
fn whoever_stops_an_export_does_not_wait_for_a_server_that_is_gone() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user66", "");
    let (main, password) =
        (archive.sandbox.read("config/postkeep.toml"), archive.sandbox.path("vault-password"));
    archive.sandbox.write(
        "config/profiles/mail.toml",
        &format!(
            "kind = \"archive\"\nsource = \"imap:box\"\nfolders = \"INBOX\"\nvault = \"imap:box/Vault\"\n\
             vault-password-file = {password:?}\n"
        ),
    );
    archive.run(&["vault", "init", "mail"]).expect(0);
    let noise =
        |n: u32| (0..300_000_u32).map(move |k| format!("{:08x}", (k + n).wrapping_mul(2_654_435_761)));
    let letter = |n| format!("Subject: {n}\r\n\r\n{}\r\n", noise(n).collect::<Vec<_>>().join("\r\n"));
    archive.append("INBOX", 0, &[letter(0).into_bytes(), letter(7_000_000).into_bytes()]);
    archive.pulled("ok", 2);

    let port = archive.account.port;
    let proxy = Proxy::new(port, Fault::Gone, 500_000);
    archive.sandbox.write(
        "config/postkeep.toml",
        &main.replace(&format!("port = {port}"), &format!("port = {}", proxy.port)),
    );
    let to = archive.sandbox.path("exported");
    let mut export = archive.sandbox.command(&["archive", "export", "mail", "--to", to.to_str().unwrap()]);
    let mut export = export.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !proxy.happened() {
        assert!(begun.elapsed() < Duration::from_secs(60) && export.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&export), rustix::process::Signal::INT)
        .unwrap();
    let status = export.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut export.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("stopped before everything was exported"), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}
