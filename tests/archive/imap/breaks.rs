//! Connections that break: it goes on with what has not come, and a message that breaks them is known by itself.

use postkeep::archive::source::{Since, Source};
use postkeep::error::Kind;

use super::*;

/// What is asked of each message that is listed.
const ITEMS: &str = "(UID RFC822.SIZE INTERNALDATE FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID FROM \
                     X-POSTKEEP-OBJECT X-POSTKEEP-FILE)])";

#[test]
fn after_a_bye_it_goes_on_with_what_has_not_come() {
    // A server that ends each session after some messages, more often than it is tried in vain.
    let mut text = String::new();
    let many = 12;
    for uid in 1..=many {
        // What was to come as it hung up is asked for alone.
        let alone = match uid {
            1 => String::new(),
            _ => format!(
                "C: A NOOP
                S: A OK done
                C: B UID FETCH {uid} (UID FLAGS)
                S: * {uid} FETCH (UID {uid} FLAGS ())
                S: B OK done
                C: C UID FETCH {uid} (UID BODY.PEEK[])
                S: * {uid} FETCH (UID {uid} BODY[] {{1}}
                S: x)
                S: C OK done"
            ),
        };
        text.push_str(&match uid {
            1 => format!(
                "{EXAMINE}
                C: C UID FETCH 1:{many} (UID BODY.PEEK[])
                S: * 1 FETCH (UID 1 BODY[] {{1}}
                S: x)
                S: * BYE Session expired, please login again.
                cut\n"
            ),
            uid if uid == many => format!("next\n{EXAMINE}\n{alone}"),
            _ => format!(
                "next
                {EXAMINE}
                {alone}
                C: D UID FETCH {} (UID BODY.PEEK[])
                S: * BYE Session expired, please login again.
                cut\n",
                if uid + 1 == many { many.to_string() } else { format!("{}:{many}", uid + 1) }
            ),
        });
    }
    let (mut it, script) = scripted(&text);
    let messages: Vec<_> = (1..=many).map(|uid| (uid, 1)).collect();
    let (came, ended) = fetched(&mut it.imap, &listed(&messages));
    ended.unwrap();
    assert_eq!(came, vec!["x"; 12]);
    // Whatever comes makes the rests begin anew: the first of them is none.
    assert_eq!(*it.rests.lock().unwrap(), Duration::ZERO);
    drop(it);
    script.end();
}

#[test]
fn a_message_that_breaks_the_connection_is_refused_and_the_others_come() {
    let alone = format!(
        "next
        {EXAMINE}
        C: A NOOP
        S: A OK done
        C: B UID FETCH 2 (UID FLAGS)
        S: * 2 FETCH (UID 2 FLAGS ())
        S: B OK done
        C: C UID FETCH 2 (UID BODY.PEEK[])
        S- * 2 FETCH (UID 2 BODY[] {{100}}\\r\\nxxx
        cut"
    );
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: C UID FETCH 1:3 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 1 BODY[] {{3}}
        S: one)
        S- * 2 FETCH (UID 2 BODY[] {{100}}\\r\\nxxx
        cut
        {alone}
        {alone}
        next
        {EXAMINE}
        C: C UID FETCH 3 (UID BODY.PEEK[])
        S: * 3 FETCH (UID 3 BODY[] {{5}}
        S: three)
        S: C OK done"
    ));
    let (came, ended) = fetched(&mut it.imap, &listed(&[(1, 3), (2, 100), (3, 5)]));
    ended.unwrap();
    assert_eq!(
        came,
        ["one", "refused: each time that it was asked for the connection broke: the server hung up", "three"]
    );
    drop(it);
    script.end();
}

#[test]
fn a_server_that_is_not_there_is_an_error_after_some_tries() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: C UID FETCH 1 (UID BODY.PEEK[])
        cut"
    ));
    let port = script.account().port;
    let (came, ended) = std::thread::scope(|scope| {
        // It is gone when its only connection is over.
        scope.spawn(|| script.end());
        fetched(&mut it.imap, &listed(&[(1, 3)]))
    });
    let said = words(ended);
    assert!(
        came.is_empty() && said.contains(&format!("cannot reach the mail server 127.0.0.1:{port}")),
        "{said}"
    );
    assert_eq!(*it.rests.lock().unwrap(), Duration::from_secs(81));
}

#[test]
fn a_folder_at_which_the_server_hangs_up_does_not_end_the_others() {
    let (mut it, script) = scripted_with(
        &format!(
            "C: E EXAMINE \"Box\"
            cut
            next
            {EXAMINE}
            C: F UID FETCH 9:* {ITEMS}
            cut"
        ),
        |options| options.retries.clear(),
    );
    assert!(it.imap.list(&folder(), Since::default()).is_err());
    assert!(!it.imap.is_up() && it.imap.comes_back() && it.imap.is_up(), "it lets us in again");
    assert!(it.imap.list(&folder(), Since { uid: 9, mod_seq: None }).is_err());
    script.end();
    assert!(!it.imap.comes_back(), "it is gone");
}

#[test]
fn a_message_at_whose_description_the_server_hangs_up_keeps_none_of_the_others() {
    let uids = format!(
        "{EXAMINE}
        C: A UID FETCH 1:* (UID)
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 4)
        S: * 3 FETCH (UID 9)
        S: A OK done"
    );
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 1:* {ITEMS}
        cut
        next
        {EXAMINE}
        C: A UID FETCH 1:* {ITEMS}
        cut
        next
        {uids}
        C: B UID FETCH 1 {ITEMS}
        S: * 1 FETCH (UID 1 RFC822.SIZE 5)
        S: B OK done
        C: C UID FETCH 4 {ITEMS}
        cut
        next
        {uids}
        C: B UID FETCH 4 {ITEMS}
        cut
        next
        {uids}
        C: B UID FETCH 9 {ITEMS}
        S: * 3 FETCH (UID 9 RFC822.SIZE 6)
        S: B OK done"
    ));
    let listing = it.imap.list(&folder(), Since::default()).unwrap();
    let told: Vec<_> = listing.messages.iter().map(|one| (one.uid, one.size)).collect();
    assert_eq!(told, [(1, 5), (4, 0), (9, 6)]);
    assert_eq!(*it.rests.lock().unwrap(), Duration::from_secs(1));
    drop(it);
    script.end();
}

#[test]
fn a_login_that_is_refused_is_told_and_not_tried_again() {
    let script = Script::play(&script::login("S: B NO [AUTHENTICATIONFAILED] Invalid credentials"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&heard);
    let mut it = mailbox(script.account(), |options| {
        options.heard = Box::new(move |_, error| own.lock().unwrap().push(error.is_some()));
    });
    assert_eq!(it.imap.folders().unwrap_err().kind(), Kind::Login);
    assert_eq!(*heard.lock().unwrap(), [true]);
    script.end();
}

#[test]
fn a_listing_goes_on_where_it_broke_off_as_often_as_it_takes() {
    let part = |uid: u32| {
        format!(
            "{EXAMINE}
            C: A UID FETCH {uid}:* {ITEMS}
            S: * 2 FETCH (UID {uid} RFC822.SIZE 5)
            S: * BYE Session invalidated - AccessTokenExpired
            cut
            next\n"
        )
    };
    let parts: String = (101..=120).map(part).collect();
    // Whoever went on asks in the end whether all came.
    let (mut it, script) = scripted(
        &format!(
            "{parts}
        {EXAMINE}
        C: A UID FETCH 121:* {ITEMS}
        S: * 2 FETCH (UID 120 RFC822.SIZE 5)
        S: A OK done
        C: B UID FETCH 101:* (UID)
        S: * 1 FETCH (UID 100)
        S: * 2 FETCH (UID 101)
        S: * 3 FETCH (UID 130)
        S: B OK done
        C: C UID FETCH 130 {ITEMS}
        S: * 3 FETCH (UID 130 RFC822.SIZE 6)
        S: C OK done"
        )
        .replace("UIDNEXT 10", "UIDNEXT 131"),
    );
    let listing = it.imap.list(&folder(), Since { uid: 101, mod_seq: None }).unwrap();
    let uids: Vec<_> = listing.messages.iter().map(|message| message.uid).collect();
    assert_eq!(uids, (101..=120).chain([130]).collect::<Vec<_>>());
    assert_eq!(*it.rests.lock().unwrap(), Duration::ZERO);
    drop(it);
    script.end();
}
