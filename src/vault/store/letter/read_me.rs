//! The first message of a vault: what this is, and the way back without postkeep.

use jiff::Timestamp;

use super::body::LineEnd;
use super::head;
use super::label::VaultId;

/// The way back. It is sent as it is, so it has to be ASCII and without long lines.
const SCRIPT: &str = include_str!("../recover.py");

const TEXT: &str = "\
This folder is a backup. Please do not delete, move or answer its messages.

Each message carries a piece of a restic repository: compressed, encrypted, and
of no use without the password of the backup. The program postkeep has written
them, and reads them.

To get the files back WITHOUT postkeep:

1. Save the attachment, recover.py, to a computer with Python 3.
2. Run it. It asks for the password of the mail account, often an app password:

     python3 recover.py repository imaps://USER@SERVER/FOLDER

   In USER write %40 for @. Messages that you have as files will do as well: a
   Maildir, a folder of .eml files, or an mbox file instead of imaps://...
   The script copies, checks every piece, and changes nothing in the mailbox.
3. Install restic (https://restic.net) and run, with the password of the backup:

     restic -r repository snapshots
     restic -r repository restore latest --target files

What the script does, in case there is no Python any more: the header
X-Postkeep-Object of each message names a kind, a hash, and a part. The bodies
are base64. The parts of an object, joined in order, are one file of a restic
repository, named by its hash, which is the SHA-256 of its content: pack ->
data/<two digits of the hash>/<hash>, key -> keys/<hash>, index -> index/<hash>,
snapshot -> snapshots/<hash>, lock -> locks/<hash>, config -> config (the one
with the highest serial). Of equal parts take any whose hash is right.
";

/// Writes it.
pub fn read_me(vault: VaultId, date: Timestamp, end: LineEnd) -> Vec<u8> {
    const BOUNDARY: &str = "=_postkeep_read_me";
    let common = head::common(
        vault,
        &head::read_me_id(vault),
        &format!("[postkeep] {vault} read me: how to get the files back without postkeep"),
        "readme; format=1",
        date,
        "\n",
    );
    let message = format!(
        "{common}\n\
         Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n\
         --{BOUNDARY}\n\
         Content-Type: text/plain; charset=us-ascii\n\n\
         {TEXT}\n\
         --{BOUNDARY}\n\
         Content-Type: text/x-python; charset=us-ascii; name=\"recover.py\"\n\
         Content-Disposition: attachment; filename=\"recover.py\"\n\n\
         {SCRIPT}\n\
         --{BOUNDARY}--\n"
    );
    match end {
        LineEnd::Lf => message.into_bytes(),
        LineEnd::CrLf => message.replace('\n', "\r\n").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders};

    use super::super::head::{Head, parse};
    use super::*;

    #[test]
    fn any_mail_program_shows_the_text_and_saves_the_script() {
        let vault = VaultId([1; 8]);
        for end in [LineEnd::CrLf, LineEnd::Lf] {
            let message = read_me(vault, Timestamp::UNIX_EPOCH, end);
            assert_eq!(parse(&message), Some(Head::ReadMe(vault)));
            assert!(message.is_ascii() && message.split(|byte| *byte == b'\n').all(|line| line.len() < 990));
            let mail = MessageParser::default().parse(&message).unwrap();
            assert!(mail.body_text(0).unwrap().starts_with("This folder is a backup."));
            let script = mail.attachment(0).unwrap();
            assert_eq!(script.attachment_name(), Some("recover.py"));
            assert_eq!(script.text_contents().unwrap().replace('\r', "").trim_end(), SCRIPT.trim_end());
        }
    }
}
