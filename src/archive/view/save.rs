//! Attachments become files: in one folder, under harmless names, over nothing.

use std::io;
use std::path::Path;

use super::{Attachment, View};
use crate::archive::files::{Dir, Files};
use crate::archive::names;
use crate::entry::Name;
use crate::error::Result;
use crate::failures::{self, Failures};
use crate::run::RunId;

/// How many names are tried for one attachment.
const TRIES: usize = 10_000;

/// What was saved.
#[derive(Debug, Default)]
pub struct Saved {
    /// The names of the files in the folder, in the order of the attachments.
    pub files: Vec<String>,
    /// What could not be saved, by the attachments' names.
    pub failures: Failures,
}

/// Saves the attachments of a message into a folder, which is made if it is not there. Names are one harmless component
/// (see [`names::safe`]); where one is taken, ` (2)` is added. Files are whole or not there, and only ours to read.
/// `raw` is the message that `view` shows; `run` marks what is half done.
///
/// # Errors
/// The folder cannot be made or opened.
pub fn save_attachments(raw: &[u8], view: &View, dir: &Path, run: RunId) -> Result<Saved> {
    let files = Files::open(dir, run)?;
    let mut saved = Saved::default();
    let root = match files.root() {
        Ok(root) => root,
        Err(error) => {
            saved.failures.add(failures::error(&"", "cannot open the folder", &error));
            return Ok(saved);
        }
    };
    for attachment in &view.attachments {
        match save(raw, attachment, &files, &root) {
            Ok(name) => saved.files.push(name),
            Err(error) => {
                saved.failures.add(failures::error(&attachment.file, "cannot save", &error));
                if failures::is_fatal(&error) {
                    break;
                }
            }
        }
    }
    Ok(saved)
}

fn save(raw: &[u8], attachment: &Attachment, files: &Files, root: &Dir) -> io::Result<String> {
    for number in 1..TRIES {
        let text = match number {
            1 => attachment.file.clone(),
            number => names::numbered(&attachment.file, number),
        };
        let name = Name::new(text.as_bytes()).ok_or(io::ErrorKind::InvalidFilename)?;
        if files.size(root, &name)?.is_some() {
            continue;
        }
        let mut draft = files.begin(root)?;
        attachment.write(raw, &mut draft)?;
        // Somebody may have taken the name meanwhile.
        if files.finish(draft, &name, None)? {
            return Ok(text);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use jiff::Timestamp;

    use super::*;
    use crate::archive::view::view;

    #[test]
    fn nothing_is_written_outside_and_nothing_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out.txt"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "old").unwrap();
        fs::write(inside.join("plain.txt"), "old").unwrap();
        symlink(&outside, inside.join("link.txt")).unwrap();
        let names = [
            "../out.txt",
            "/etc/passwd",
            "..",
            "plain.txt",
            "plain.txt",
            "link.txt",
            ".hidden",
            "-rf",
            "a\\..\\b",
            "nul.txt",
            "x\r\ny\u{202e}",
            "",
        ];
        let mut raw = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
        for (number, name) in names.iter().enumerate() {
            let name = name.replace('\\', "\\\\").replace("\r\n", "=0D=0A");
            raw.push_str(&format!(
                "--b\nContent-Disposition: attachment; filename=\"{name}\"\n\nnew {number}\n"
            ));
        }
        raw.push_str("--b--\n");
        let view = view(raw.as_bytes());
        let run = RunId::new(Timestamp::UNIX_EPOCH, 7);
        let saved = save_attachments(raw.as_bytes(), &view, &inside, run).unwrap();
        assert_eq!(saved.failures.errors, 0, "{:?}", saved.failures);
        assert_eq!(saved.files.len(), names.len());
        let there: Vec<_> = fs::read_dir(&inside).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(there.len(), names.len() + 2);
        for entry in there {
            let name = entry.file_name().into_string().unwrap();
            assert!(!name.starts_with(['.', '-']) && !name.contains(['\\', '\n', '\u{202e}']), "{name}");
        }
        for (number, name) in saved.files.iter().enumerate() {
            let path = inside.join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("new {number}"), "{name}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(saved.files[3..6], ["plain (2).txt", "plain (3).txt", "link (2).txt"]);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "old");
        assert_eq!(fs::read_to_string(inside.join("plain.txt")).unwrap(), "old");
    }
}
