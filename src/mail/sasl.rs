//! What is said to prove who one is (SASL), and what a server must not repeat to others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::clean;
use super::secret::Secret;
use crate::profile::Proof;

/// How much of the beginning of a secret gives it away.
const TELLING: usize = 6;

/// A mechanism, and what it says: as it is, and in base64.
pub(super) struct Sasl {
    pub mechanism: &'static str,
    pub plain: Zeroizing<String>,
    pub words: Zeroizing<String>,
}

impl Sasl {
    /// PLAIN (RFC 4616) for a password, XOAUTH2 (Google's and Microsoft's, as they describe it) for a token.
    pub(super) fn new(proof: Proof, user: &str, secret: &Secret) -> Self {
        let (mechanism, plain) = match proof {
            Proof::Password => ("PLAIN", format!("\0{user}\0{}", secret.expose())),
            Proof::Token => ("XOAUTH2", format!("user={user}\x01auth=Bearer {}\x01\x01", secret.expose())),
        };
        let words = Zeroizing::new(STANDARD.encode(&plain));
        Self { mechanism, plain: Zeroizing::new(plain), words }
    }
}

/// Should a server be so careless as to repeat what it was told: its words without the secrets in them, also where they
/// were cut off.
pub(super) fn hide(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
        let Some(start) = secret.get(..TELLING) else { continue };
        while let Some(at) = text.find(start) {
            let same = text[at..].chars().zip(secret.chars()).take_while(|(one, other)| one == other);
            let length: usize = same.map(|(one, _)| one.len_utf8()).sum();
            text.replace_range(at..at + length, "***");
        }
    }
    text
}

/// The status in the explanation of a refused token that Google and Microsoft give: base64 of JSON such as
/// `{"status":"401", ...}`.
pub(super) fn status_of(challenge: &str) -> Option<String> {
    status_in(&STANDARD.decode(challenge).ok()?)
}

/// The same, decoded.
pub(super) fn status_in(json: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    let status = json.get("status")?;
    let status = status.as_str().map_or_else(|| status.to_string(), str::to_owned);
    Some(format!("(status {})", clean(&status).chars().take(20).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_a_server_repeats_are_hidden() {
        for (text, hidden) in [
            ("you said s3cret-token, no", "you said ***, no"),
            ("AHVzZXIAczNjcmV0 BAD what", "*** BAD what"),
            ("cut: AHVzZXIAcz", "cut: ***"),
            ("s3cret-s3cret-", "******"),
            ("s3cre AHVz", "s3cre AHVz"),
        ] {
            assert_eq!(hide(text, &["s3cret-token", "AHVzZXIAczNjcmV0", ""]), hidden);
        }
        assert_eq!(hide("a pö pönö", &["pö"]), "a *** ***nö");
        assert_eq!(hide("a pöpöpö pöpöpä", &["pöpöpö"]), "a *** ***ä");
    }

    #[test]
    fn the_reason_of_a_refused_token_is_read() {
        // {"status":"400","schemes":"Bearer"}
        let reason = status_of("eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=");
        assert_eq!(reason.as_deref(), Some("(status 400)"));
        for nonsense in ["", "!!!", "bm8ganNvbg==", "e30="] {
            assert_eq!(status_of(nonsense), None, "{nonsense}");
        }
        assert_eq!(status_in(br#"{"status":"400","schemes":"Bearer"}"#).as_deref(), Some("(status 400)"));
        for nonsense in ["", "{}", "no json"] {
            assert_eq!(status_in(nonsense.as_bytes()), None, "{nonsense}");
        }
    }
}
