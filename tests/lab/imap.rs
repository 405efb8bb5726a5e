//! As much of an IMAP client (RFC 9051) as it takes to read a mailbox byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// All messages of a user's INBOX, oldest first.
pub fn inbox(port: u16, user: &str, password: &str) -> Vec<Vec<u8>> {
    messages(port, user, password, "INBOX", "1:*")
}

/// Those messages of a folder that are in a set of sequence numbers, oldest first.
pub fn messages(port: u16, user: &str, password: &str, folder: &str, set: &str) -> Vec<Vec<u8>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut line = BufReader::new(stream);
    read_line(&mut line);
    let password = password.replace('\\', "\\\\").replace('"', "\\\"");
    command(&mut line, "a1", &format!("LOGIN {user} \"{password}\""));
    let selected = command(&mut line, "a2", &format!("EXAMINE \"{folder}\"")).0;
    let empty = selected.iter().any(|said| said.starts_with("* 0 EXISTS"));
    if empty { Vec::new() } else { command(&mut line, "a3", &format!("FETCH {set} BODY.PEEK[]")).1 }
}

/// Lines and literals of the answer.
fn command(line: &mut BufReader<TcpStream>, tag: &str, text: &str) -> (Vec<String>, Vec<Vec<u8>>) {
    line.get_mut().write_all(format!("{tag} {text}\r\n").as_bytes()).unwrap();
    let (mut said, mut literals) = (Vec::new(), Vec::new());
    loop {
        let answer = read_line(line);
        if let Some(rest) = answer.strip_prefix(&format!("{tag} ")) {
            assert!(rest.starts_with("OK"), "{text}: {answer}");
            return (said, literals);
        }
        if let Some(length) = answer.strip_suffix('}').and_then(|start| start.rsplit_once('{')) {
            let mut literal = vec![0; length.1.parse().unwrap()];
            line.read_exact(&mut literal).unwrap();
            literals.push(literal);
        }
        said.push(answer);
    }
}

fn read_line(line: &mut BufReader<TcpStream>) -> String {
    let mut bytes = Vec::new();
    line.read_until(b'\n', &mut bytes).unwrap();
    assert!(!bytes.is_empty(), "the server hung up");
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
