//! What letters have in common.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Archive, letter};
use crate::lab;

/// A letter with an attachment of about 480 kB, which is less than a chunk of restic's.
fn with_attachment(number: u64, attachment: u32) -> Vec<u8> {
    let mut state = attachment + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(350_000)
    .collect();
    let lines = BASE64_STANDARD.encode(bytes);
    let lines: Vec<_> = lines.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let text = "Here it is, as you wished.\r\n".repeat(usize::try_from(number).unwrap() + 1);
    let head = String::from_utf8(letter(number)).unwrap();
    let head = head.split("\r\n\r\n").next().unwrap().to_owned();
    format!(
        "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b{number}\"\r\n\r\n\
         --b{number}\r\n\r\n{text}\r\n--b{number}\r\nContent-Type: application/pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b{number}--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

#[test]
fn an_attachment_in_several_letters_of_several_accounts_is_stored_once() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user62", "");
    let mut sent = Vec::new();
    for (folder, numbers) in [("A", 0..6), ("B", 6..12)] {
        for place in ["cur", "new", "tmp"] {
            fs::create_dir_all(archive.sandbox.path(folder).join(place)).unwrap();
        }
        for number in numbers {
            let bytes = with_attachment(number, u32::try_from(number % 3).unwrap());
            fs::write(archive.sandbox.path(folder).join(format!("cur/{number}.host:2,S")), &bytes).unwrap();
            sent.push(bytes);
        }
    }
    let path = |name: &str| archive.sandbox.path(name);
    let profile = format!(
        "kind = \"archive\"\nsource = [\"maildir:{}\", \"maildir:{}\"]\nvault = {:?}\nvault-password-file = {:?}\n",
        path("A").display(),
        path("B").display(),
        path("vault"),
        path("vault-password")
    );
    archive.sandbox.write("config/profiles/mail.toml", &profile);
    archive.pulled("ok", 12);
    let packs = walkdir::WalkDir::new(path("vault").join("data")).into_iter().map(Result::unwrap);
    let stored: u64 =
        packs.map(|pack| pack.metadata().unwrap()).filter(|pack| pack.is_file()).map(|pack| pack.len()).sum();
    let all = sent.iter().map(Vec::len).sum::<usize>() as u64;
    // Three quarters is what compression makes of base64; each attachment is in four letters.
    assert!(stored < all / 2, "{stored} of {all}");
    let Some(restored) = archive.restored() else { return };
    let mut back: Vec<_> = restored.into_values().collect();
    back.sort();
    sent.sort();
    assert!(back == sent);
}
