//! A server that does all that servers are known to do, and everything at once: whatever the weather, each message comes
//! once and in its order, and what is said of it is true.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;

/// What a message does when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sound,
    Gone,
    /// It is there, and not given.
    Refused,
    /// It is there, and nothing comes.
    Void,
    /// The server breaks down over it.
    Deadly,
}

/// Numbers that look like chance, and are the same for the same seed (xorshift).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    /// A number below this one.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The bytes of a message: any bytes, among them what looks like an answer.
fn body(uid: u32) -> Vec<u8> {
    let mut dice = Dice(u64::from(uid) + 1);
    let mut bytes: Vec<u8> = (0..=dice.roll(2500)).map(|_| dice.roll(256) as u8).collect();
    bytes.extend_from_slice(b")\r\n* BYE\r\nA OK {5}\r\n");
    bytes
}

struct Server {
    messages: BTreeMap<u32, Fate>,
    dice: Dice,
}

/// How a connection goes on.
enum Next {
    On,
    HangUp,
}

impl Server {
    fn serve(&mut self, stream: TcpStream) {
        let mut out = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream);
        out.write_all(b"* OK ready\r\n").unwrap();
        let mut given = 0;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let (tag, command) = line.trim_end().split_once(' ').unwrap();
            let mut said = Vec::new();
            let next = self.answer(tag, command, &mut said, &mut given);
            let written = out.write_all(&said);
            if matches!(next, Next::HangUp) || written.is_err() {
                // What was said shall be read: so nothing may be unread here.
                let _ = out.shutdown(Shutdown::Write);
                let _ = lines.read_to_end(&mut Vec::new());
                return;
            }
        }
    }

    fn answer(&mut self, tag: &str, command: &str, out: &mut Vec<u8>, given: &mut u32) -> Next {
        let said = match command.split(' ').next().unwrap() {
            "CAPABILITY" => "* CAPABILITY IMAP4rev1 LIST-STATUS NAMESPACE\r\n",
            "LIST" => "* LIST () \"/\" Box\r\n",
            "NAMESPACE" => "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
            "EXAMINE" => "* 9 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n",
            "LOGIN" | "NOOP" => "",
            "UID" => return self.fetch(tag, command, out, given),
            other => panic!("{other}"),
        };
        out.extend_from_slice(format!("{said}{tag} OK done\r\n").as_bytes());
        Next::On
    }

    fn fetch(&mut self, tag: &str, command: &str, out: &mut Vec<u8>, given: &mut u32) -> Next {
        let set = command.split(' ').nth(2).unwrap();
        let mut uids = Vec::new();
        for range in set.split(',') {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            uids.extend(from.parse::<u32>().unwrap()..=to.parse().unwrap());
        }
        let mut say = |text: String| out.extend_from_slice(text.as_bytes());
        let there = |uid: &u32| self.messages[uid] != Fate::Gone;
        if command.ends_with("(UID FLAGS)") {
            uids.iter()
                .filter(|uid| there(uid))
                .for_each(|uid| say(format!("* 1 FETCH (UID {uid} FLAGS ())\r\n")));
            say(format!("{tag} OK done\r\n"));
            return Next::On;
        }
        let alone = uids.len() == 1;
        if self.dice.roll(3) == 0 {
            for at in (1..uids.len()).rev() {
                uids.swap(at, self.dice.roll(at as u64 + 1) as usize);
            }
        }
        let mut end = "OK done";
        for uid in uids {
            match self.messages[&uid] {
                Fate::Sound => {}
                Fate::Gone => continue,
                Fate::Void if self.dice.roll(2) == 0 => {
                    out.extend_from_slice(format!("* 2 FETCH (UID {uid} BODY[] NIL)\r\n").as_bytes());
                    continue;
                }
                Fate::Void => continue,
                Fate::Refused => {
                    end = "NO [CANNOT] not this one";
                    if self.dice.roll(2) == 0 { break } else { continue }
                }
                Fate::Deadly => {
                    out.extend_from_slice(format!("* 2 FETCH (UID {uid} BODY[] {{500}}\r\nxx").as_bytes());
                    return Next::HangUp;
                }
            }
            let body = body(uid);
            let head = format!("* 2 FETCH (UID {uid} BODY[] {{{}}}\r\n", body.len());
            let behind = format!("* 2 FETCH (BODY[] {{{}}}\r\n", body.len());
            match self.dice.roll(40) {
                // It breaks down, but never before something came over a connection, nor again and again at the
                // same message.
                0 | 1 if *given > 0 && !alone => {
                    out.extend_from_slice(head.as_bytes());
                    out.extend_from_slice(&body[..body.len() / 2]);
                    return Next::HangUp;
                }
                2 if *given > 0 && !alone => {
                    out.extend_from_slice(b"* BYE Session expired\r\n");
                    return Next::HangUp;
                }
                3 if !alone => {
                    end = "NO [SERVERBUG] something is wrong";
                    break;
                }
                4 if !alone => continue,
                5 => {
                    out.extend_from_slice(behind.as_bytes());
                    out.extend_from_slice(&body);
                    out.extend_from_slice(format!(" UID {uid})\r\n").as_bytes());
                }
                6 => {
                    out.extend_from_slice(b"* 3 FETCH (UID 99999 BODY[] {3}\r\nxyz)\r\n* 4 EXPUNGE\r\n");
                    out.extend_from_slice(head.as_bytes());
                    out.extend_from_slice(&body);
                    out.extend_from_slice(b")\r\n");
                }
                _ => {
                    out.extend_from_slice(head.as_bytes());
                    out.extend_from_slice(&body);
                    out.extend_from_slice(b" FLAGS (\\Seen))\r\n");
                }
            }
            *given += 1;
        }
        out.extend_from_slice(format!("{tag} {end}\r\n").as_bytes());
        Next::On
    }
}

fn storm(seed: u64) {
    let mut dice = Dice(seed);
    let mut messages = BTreeMap::new();
    let mut deadly = 0;
    for uid in 1..=30 + dice.roll(150) as u32 {
        let fate = match dice.roll(30) {
            0 | 1 => Fate::Gone,
            2 => Fate::Refused,
            3 => Fate::Void,
            4 if deadly < 3 => {
                deadly += 1;
                Fate::Deadly
            }
            _ => Fate::Sound,
        };
        messages.insert(uid, fate);
    }
    // Sizes that are not true; some make a batch of their own.
    let mut sizes: Vec<_> =
        messages.keys().map(|uid| (*uid, [10, 1000, 3_000_000][dice.roll(3) as usize])).collect();
    if dice.roll(2) == 0 {
        sizes.reverse();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = Server { messages: messages.clone(), dice };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming() {
                if over.load(SeqCst) {
                    return;
                }
                server.serve(stream.unwrap());
            }
        });
        let mut it = mailbox(script::account(port), |options| options.held = [1000, 20][(seed % 2) as usize]);
        let mut came = Vec::new();
        let ended = it.imap.fetch(&folder(), &listed(&sizes), &mut |at, what| {
            came.push((at, what.map(bytes)));
            Ok(())
        });
        drop(it);
        over.store(true, SeqCst);
        drop(TcpStream::connect(("127.0.0.1", port)));
        assert!(ended.is_ok(), "seed {seed}: {ended:?}");
        assert_eq!(came.len(), sizes.len(), "seed {seed}");
        for ((at, what), (expected, (uid, _))) in came.into_iter().zip(sizes.iter().enumerate()) {
            assert_eq!(at, expected, "seed {seed}");
            let right = match (messages[uid], &what) {
                (Fate::Sound, Ok(came)) => *came == body(*uid),
                (Fate::Gone, Err(Refusal::Gone)) => true,
                (Fate::Refused, Err(Refusal::Refused(why))) => why == "[CANNOT] not this one",
                (Fate::Void, Err(Refusal::Refused(why))) => why == "the server gives nothing for it",
                (Fate::Deadly, Err(Refusal::Refused(why))) => why.contains("the connection broke"),
                _ => false,
            };
            assert!(right, "seed {seed}: message {uid}, {:?}: {what:?}", messages[uid]);
        }
    });
}

#[test]
fn whatever_the_weather_each_message_comes_once_and_in_its_order() {
    (1..=40).for_each(|seed: u64| storm(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15)));
}
