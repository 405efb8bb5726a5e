//! An archive is looked at message by message, and held against its mailbox.

use serde_json::Value;

use super::letters;
use super::played::Played;

#[test]
fn verify_reads_messages_and_compares_them_with_the_mailbox() {
    let server = Played::new();
    server.mailbox().fill("INBOX", 7, letters(0..12));
    server.mailbox().fill("Old", 7, letters(12..15));
    let archive = server.archive("");
    archive.pulled("ok", 15);
    let told = archive.json(&["verify", "mail", "--read-data", "--sample", "100"]);
    assert_eq!(
        (&told["ok"], &told["messages-read"], &told["messages-compared"]),
        (&true.into(), &15.into(), &15.into())
    );
    assert_eq!(archive.json(&["verify", "mail"])["messages-read"], Value::Null);
    {
        // Some are gone, a folder is another one, and one message is not what it was.
        let mut mailbox = server.mailbox();
        mailbox.folders.get_mut("Old").unwrap().validity = 8;
        let inbox = mailbox.folders.get_mut("INBOX").unwrap();
        inbox.messages.remove(&2);
        let message = inbox.messages.get_mut(&4).unwrap();
        *message.last_mut().unwrap() = b'!';
    }
    let ran = archive.run(&["verify", "mail", "--sample", "100"]).expect(1);
    assert!(ran.stdout.contains("7.4.eml") && ran.stdout.contains("11 compared"), "{}", ran.stdout);
    assert!(ran.stdout.contains("DAMAGED: 1 problem"), "{}", ran.stdout);
    // Without the mailbox the archive itself is looked at.
    archive.through(1);
    let ran = archive.run(&["verify", "mail", "--read-data"]).expect(0);
    assert!(
        ran.stdout.contains("15 messages as archived") && ran.stdout.contains("note: no message"),
        "{}",
        ran.stdout
    );
}
