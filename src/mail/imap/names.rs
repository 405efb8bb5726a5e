//! Names of folders: our paths with `/`, and what the server calls them.

use super::engine::Listen;
use super::lexer::{Lex, Lexer};
use super::utf7;
use crate::entry::show;
use crate::error::{Error, Result};

/// How a server builds names: what stands between the parts, and before the names that are ours (RFC 2342).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Naming {
    /// None: there are no folders in folders.
    pub delimiter: Option<char>,
    /// As the server writes it, such as `INBOX.`; often empty.
    pub prefix: String,
}

impl Naming {
    /// The server's name of a path such as `Backups/laptop`, in modified UTF-7.
    ///
    /// # Errors
    /// The server can have no such folder.
    pub(super) fn name(&self, path: &str) -> Result<String> {
        let no =
            |why: &str| Err(Error::other(format!("{} is no name of a folder: {why}", show(path.as_bytes()))));
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return no("a part of it is empty");
        }
        if path.chars().any(|c| c.is_control() || matches!(c, '*' | '%')) {
            return no("there are characters in it that no server takes");
        }
        let joined = match self.delimiter {
            Some(delimiter) if delimiter != '/' && path.contains(delimiter) => {
                return no(&format!("this server takes no `{delimiter}` in one"));
            }
            Some(delimiter) => parts.join(&delimiter.to_string()),
            None if parts.len() > 1 => return no("this server has no folders in folders"),
            None => path.to_owned(),
        };
        let inbox = parts.first().is_some_and(|first| first.eq_ignore_ascii_case("INBOX"));
        let name = utf7::encode(&joined);
        // The inbox is everybody's own wherever the other folders are (RFC 9051, 5.1).
        if (inbox && parts.len() == 1) || name.starts_with(&self.prefix) {
            return Ok(name);
        }
        Ok(format!("{}{name}", self.prefix))
    }

    /// Our path of a server's name; a name that is no modified UTF-7 stands as it is.
    pub(super) fn path(&self, name: &str) -> String {
        let own = name.strip_prefix(&self.prefix).filter(|rest| !rest.is_empty()).unwrap_or(name);
        let path = utf7::decode(own).unwrap_or_else(|| own.to_owned());
        match self.delimiter {
            Some(delimiter) => path.replace(delimiter, "/"),
            None => path,
        }
    }
}

/// Hears `* NAMESPACE (("INBOX." ".")) NIL NIL` (RFC 2342): the first of the personal ones is where folders go.
#[derive(Default)]
pub(super) struct NamespaceEar(pub Option<Naming>);

impl Listen for NamespaceEar {
    fn hear(&mut self, _: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        if word != "NAMESPACE" || line.peek()? != b'(' {
            return Ok(());
        }
        line.expect(b'(')?;
        line.spaces()?;
        line.expect(b'(')?;
        let prefix = line.string()?.unwrap_or_default();
        line.spaces()?;
        let delimiter = line.string()?.and_then(|text| String::from_utf8(text).ok()?.chars().next());
        let prefix = String::from_utf8(prefix).map_err(|_| Lex::Odd)?;
        self.0 = Some(Naming { delimiter, prefix });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_names_and_names_paths() {
        let naming = |delimiter, prefix: &str| Naming { delimiter, prefix: prefix.into() };
        let slash = naming(Some('/'), "");
        let dot = naming(Some('.'), "INBOX.");
        for (naming, path, name) in [
            (&slash, "Backups/laptop", Some("Backups/laptop")),
            (&slash, "Büro/a.b", Some("B&APw-ro/a.b")),
            (&slash, "INBOX", Some("INBOX")),
            (&slash, "[Gmail]/All Mail", Some("[Gmail]/All Mail")),
            (&dot, "Backups/laptop", Some("INBOX.Backups.laptop")),
            (&dot, "INBOX", Some("INBOX")),
            (&dot, "Backups/my.laptop", None),
            (&naming(None, ""), "Backups", Some("Backups")),
            (&naming(None, ""), "Backups/laptop", None),
            (&slash, "", None),
            (&slash, "/a", None),
            (&slash, "a//b", None),
            (&slash, "a/", None),
            (&slash, "a*", None),
            (&slash, "a\r\nb", None),
        ] {
            let got = naming.name(path).ok();
            assert_eq!(got.as_deref(), name, "{path}");
            if let Some(name) = name {
                assert_eq!(naming.path(name), path, "{name}");
            }
        }
        assert_eq!(dot.name("INBOX/sub").unwrap(), "INBOX.sub");
        assert_eq!(slash.path("&bad"), "&bad");
    }
}
