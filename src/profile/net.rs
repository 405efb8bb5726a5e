//! The values that name other machines: servers, ports, addresses of the web.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use toml::Value;

use super::Webhook;
use super::value::{text, value, whole};
use super::wrong::{Wrong, quote};

value!(
    /// A server's name or address, in ASCII.
    Host(String), "string", |value| {
        let text = text(value)?;
        let bare = text.trim().trim_matches(['[', ']']);
        if let Ok(address) = bare.parse::<std::net::IpAddr>() {
            return Ok(address.to_string());
        }
        let wrong = |why: &str| Wrong::new(format!("{} is no name of a server: {why}", quote(&text)));
        if text.contains("://") || text.contains('/') {
            return Err(wrong("it is an address of the web").hint("a name such as \"smtp.example.org\""));
        }
        if text.contains(':') {
            return Err(wrong("the port has a key of its own").hint("host = \"smtp.example.org\", port = 465"));
        }
        match idna::domain_to_ascii_strict(bare) {
            Ok(host) if !host.is_empty() => Ok(host),
            _ => Err(wrong("it has characters that no name has").hint("a name such as \"smtp.example.org\"")),
        }
    }
);

value!(
    /// A port.
    Port(u16), "integer", |value| {
        let number = whole(value, "a port")?;
        u16::try_from(number).ok().filter(|port| *port > 0)
            .ok_or_else(|| Wrong::new("a port is a number from 1 to 65535").hint("465 or 587 for most servers"))
    }
);

value!(
    /// An address of the web that takes a report.
    WebhookText(Webhook), "string", |value| {
        let hook = Webhook(text(value)?);
        let host = hook.host();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
        let sound = !hook.0.contains(|c: char| c.is_control() || c.is_whitespace()) && !name.is_empty() && hook.0.len() <= 4096;
        let plain = hook.0.starts_with("http://");
        if !sound || !(plain || hook.0.starts_with("https://")) {
            return Err(Wrong::new("this is no address of the web").hint("write it as \"https://example.org/path\""));
        }
        // A report names files, and the address itself may hold a token.
        if plain && !is_loopback(name) {
            return Err(Wrong::new("to another machine this goes only over https").hint("write https://"));
        }
        Ok(hook)
    }
);

/// Whether a server's name means this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers_and_addresses_of_webhooks() {
        let host = |text: &str| Host::deserialize(Value::String(text.into())).map(|host| host.0).ok();
        for (text, expected) in [
            ("smtp.example.org", Some("smtp.example.org")),
            ("M\u{dc}ller.example", Some("xn--mller-kva.example")),
            ("[::1]", Some("::1")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("smtp.example.org:465", None),
            ("https://smtp.example.org", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(host(text).as_deref(), expected, "{text}");
        }
        let hook = |text: &str| WebhookText::deserialize(Value::String(text.into())).map(|hook| hook.0);
        for good in [
            "https://ntfy.example/t?x=1",
            "http://localhost:8080/x",
            "http://[::1]:80/",
            "https://u:p@example.org/",
        ] {
            assert!(hook(good).is_ok(), "{good}");
        }
        for bad in [
            "ftp://x/",
            "https://",
            "https:///x",
            "http://example.org/",
            "https://a b/",
            "none",
            "https://x/\n",
        ] {
            let error = hook(bad).unwrap_err().to_string();
            assert!(bad == "https://" || !error.contains(bad), "an address is not repeated: {error}");
        }
        assert_eq!(hook("https://u:secret@example.org:8443/t?k=secret").unwrap().host(), "example.org:8443");
    }
}
