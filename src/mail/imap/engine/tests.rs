//! Servers that never come to an end.

use std::net::{TcpListener, TcpStream};

use super::*;
use crate::mail::line::Line;
use crate::mail::socket::{Counted, Stop};

/// What becomes of a command whose answer is this, over and over; and how many responses were odd.
fn answered(with: &'static str, bodies: bool) -> (Failed, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let thread = std::thread::spawn(move || {
        let many = with.repeat(10_000);
        while server.write_all(many.as_bytes()).is_ok() {}
    });
    let line = Line::Plain(Counted::new(stream, Stop::default()));
    let mut wire = Wire::new(line, Duration::from_secs(20)).unwrap();
    let mut tag = 0;
    let mut engine = Engine::new(&mut wire, &mut tag, "x.test:993");
    if bodies {
        engine.await_bytes(1 << 20, true);
    }
    let failed = engine.run("UID FETCH 1:* (UID)", &mut Deaf).unwrap_err();
    let odd = engine.odd();
    drop(wire);
    thread.join().unwrap();
    (failed, odd)
}

#[test]
fn no_answer_is_endless() {
    let said = "x.test:993 answers UID FETCH with more than can be true";
    for (with, bodies) in [
        ("* 5 EXISTS\r\n", false),
        ("* 5 EXISTS\r\n", true),
        // In one response, too.
        ("* X {12}\r\n* 5 EXISTS\r\n {12}\r\n* 5 EXISTS\r\n", false),
        ("* OK x", false),
    ] {
        let (failed, _) = answered(with, bodies);
        assert!(failed.to_string().contains(said), "{with}: {failed}");
        // It is asked again only where that may bring something else.
        assert_eq!(matches!(failed, Failed::Here(_)), !bodies, "{with}");
    }
    let (_, odd) = answered("* 4294967296 FETCH (UID 1)\r\n", false);
    assert!(odd > 100, "{odd}");
}
