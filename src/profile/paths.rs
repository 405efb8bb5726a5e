//! Paths as written made absolute: `~`, variables, folders relative to the configuration's. Nothing here looks at a
//! disk, so `..` takes back the name before it, whatever that is.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::wrong::{Wrong, quote};

/// What paths are read against. It is passed in, so that the same files mean the same in a test.
pub struct Env<'a> {
    /// What `~` stands for.
    pub home: Option<PathBuf>,
    /// What the configuration's folder is relative to, if it is relative.
    pub cwd: PathBuf,
    /// Looks up a variable.
    pub var: &'a dyn Fn(&str) -> Option<OsString>,
}

/// The absolute path that `text` means in a file below `base` (absolute).
///
/// `~` and `~/x` are the home folder; `$NAME` and `${NAME}` are variables, `$$` is a dollar sign, and a `$` before
/// anything else stays one.
pub fn expand(text: &str, base: &Path, env: &Env) -> Result<PathBuf, Wrong> {
    let (start, rest) = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (home(env)?, rest),
        Some(_) => {
            return Err(Wrong::new(format!("{} names the home folder of someone else", quote(text))).hint(
                "only ~ and ~/... are known; write the whole path, or ./~... for a folder of that name",
            ));
        }
        None => (OsString::new(), text),
    };
    // `host:/path` and `s3:bucket` are places that other tools know. Taken for a folder, one would be made here.
    let head = rest.split('/').next().unwrap_or_default();
    if start.is_empty() && head.contains(':') && !head.starts_with(['.', '$']) {
        return Err(Wrong::new(format!("{} is no folder of this machine", quote(text))).hint(
            "mount it and name the mount point; for a folder with a colon in its name write ./ before it",
        ));
    }
    let mut whole = start;
    whole.push(variables(rest, env)?);
    Ok(normal(&base.join(whole)))
}

fn home(env: &Env) -> Result<OsString, Wrong> {
    match &env.home {
        Some(home) if home.is_absolute() => Ok(home.clone().into_os_string()),
        _ => Err(Wrong::new("there is no home folder that ~ could stand for")
            .hint("set the variable HOME, or write the whole path")),
    }
}

fn variables(text: &str, env: &Env) -> Result<OsString, Wrong> {
    let mut whole = OsString::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        whole.push(before);
        let plain = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        rest = if let Some(after) = after.strip_prefix('$') {
            whole.push("$");
            after
        } else if let Some(braced) = after.strip_prefix('{') {
            let (name, after) = braced.split_once('}').ok_or_else(|| {
                Wrong::new(format!("{} has a ${{ without a }}", quote(text)))
                    .hint("write $$ for a dollar sign that is part of the path")
            })?;
            whole.push(variable(name, env)?);
            after
        } else if plain > 0 && !after.starts_with(|c: char| c.is_ascii_digit()) {
            let (name, after) = after.split_at(plain);
            whole.push(variable(name, env)?);
            after
        } else {
            whole.push("$");
            after
        };
    }
    whole.push(rest);
    Ok(whole)
}

fn variable(name: &str, env: &Env) -> Result<OsString, Wrong> {
    let value = if name.is_empty() || name.contains(['=', '\0']) { None } else { (env.var)(name) };
    // An empty one would turn "$DISK/photos" into "/photos".
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Wrong::new(format!("the variable {} is not set", quote(name))).hint(
            "set it for postkeep, write the whole path, or $$ for a dollar sign that is part of the path",
        )
    })
}

/// The same path without `.`, `..`, doubled and closing slashes. The path is absolute.
pub fn normal(path: &Path) -> PathBuf {
    let mut whole = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    whole
}

/// The configuration's folder, absolute.
pub(super) fn absolute(dir: &Path, env: &Env) -> PathBuf {
    normal(&env.cwd.join(dir))
}

/// The file's name without `.toml`, if it has one.
pub(super) fn stem(file: &Path) -> Option<&str> {
    file.file_name().and_then(OsStr::to_str)?.strip_suffix(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        let var = |name: &str| match name {
            "DISK" => Some("/mnt/disk".into()),
            "DIR_1" => Some("data".into()),
            "DOLLAR" => Some("$DISK".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        let env = Env { home: Some("/home/me".into()), cwd: "/cwd".into(), var: &var };
        let base = Path::new("/home/me/.config/postkeep");
        for (text, path) in [
            ("/srv/x", "/srv/x"),
            ("/srv//x/./y/../z/", "/srv/x/z"),
            ("/../..", "/"),
            ("~", "/home/me"),
            ("~/a b", "/home/me/a b"),
            ("x", "/home/me/.config/postkeep/x"),
            ("../x", "/home/me/.config/x"),
            ("./~x", "/home/me/.config/postkeep/~x"),
            ("./a:b", "/home/me/.config/postkeep/a:b"),
            ("/a:b", "/a:b"),
            ("$DISK/x", "/mnt/disk/x"),
            ("${DISK}x", "/mnt/diskx"),
            ("/a/$DIR_1-b", "/a/data-b"),
            ("~/$DIR_1", "/home/me/data"),
            ("/a/$DOLLAR", "/a/$DISK"),
            ("/a/$$DISK/c$/$5", "/a/$DISK/c$/$5"),
            ("/é$", "/é$"),
        ] {
            assert_eq!(expand(text, base, &env).as_deref(), Ok(Path::new(path)), "{text}");
        }
        for text in [
            "~you/x",
            "$NONE/x",
            "${NONE}",
            "${DISK",
            "${}",
            "/x/$EMPTY",
            "${a=b}",
            "nas:/srv",
            "imap:gmail/x",
        ] {
            assert!(expand(text, base, &env).is_err(), "{text}");
        }
        let homeless = Env { home: None, cwd: "/".into(), var: &var };
        assert!(expand("~/x", base, &homeless).is_err());
    }
}
