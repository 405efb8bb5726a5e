//! Which entries of a snapshot are meant: globs as in `.gitignore`, beginning at what is looked through.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::entry::RelPath;
use crate::error::{Context, Error, Kind, Result};
use crate::profile::check_pattern;

/// What to take and what to leave out. Nothing said: everything.
#[derive(Debug, Default)]
pub struct Choice {
    include: Option<Gitignore>,
    exclude: Option<Gitignore>,
}

/// What to do with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Take it, and what is in it.
    Yes,
    /// Do not take it, but look into it if it is a folder.
    Perhaps,
    /// Leave it, and what is in it.
    No,
}

impl Choice {
    /// Of patterns.
    ///
    /// # Errors
    /// A pattern is none (a usage error).
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Whether everything is meant.
    pub fn is_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// What to do with an entry in a folder for which the answer was `above`.
    pub fn of(&self, path: &RelPath, folder: bool, above: Chosen) -> Chosen {
        let says = |globs: &Option<Gitignore>| {
            globs.as_ref().is_some_and(|globs| globs.matched(path.as_path(), folder).is_ignore())
        };
        let again = |globs: &Option<Gitignore>| {
            globs.as_ref().is_some_and(|globs| globs.matched(path.as_path(), folder).is_whitelist())
        };
        match above {
            Chosen::No => Chosen::No,
            _ if says(&self.exclude) => Chosen::No,
            // `!name` among the includes takes a part of what is included out again.
            Chosen::Yes if again(&self.include) => Chosen::Perhaps,
            Chosen::Yes => Chosen::Yes,
            Chosen::Perhaps if self.include.is_none() || says(&self.include) => Chosen::Yes,
            Chosen::Perhaps => Chosen::Perhaps,
        }
    }

    /// The answer for the folder that is looked through.
    pub fn root(&self) -> Chosen {
        if self.include.is_none() { Chosen::Yes } else { Chosen::Perhaps }
    }
}

fn compile(patterns: &[String]) -> Result<Option<Gitignore>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let wrong = |pattern: &str, cause: ignore::Error| {
        let shown = crate::entry::show(pattern.as_bytes());
        Error::new(Kind::Usage, format!("{shown} is no pattern")).caused_by(cause)
    };
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        check_pattern(pattern)?;
        builder.add_line(None, pattern).map_err(|cause| wrong(pattern, cause))?;
    }
    builder.build().map(Some).context(|| "cannot use the patterns".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;

    fn chosen(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let choice = Choice::new(&strings(include), &strings(exclude)).unwrap();
        let names: Vec<_> = path.trim_end_matches('/').split('/').collect();
        let (mut at, mut answer) = (RelPath::root(), choice.root());
        for (n, name) in names.iter().enumerate() {
            at = at.join(&Name::new(name.as_bytes()).unwrap());
            answer = choice.of(&at, n + 1 < names.len() || path.ends_with('/'), answer);
        }
        answer == Chosen::Yes
    }

    #[test]
    fn patterns_choose_as_gitignores_do() {
        let cases: [(&[&str], &[&str], &str, bool); 16] = [
            (&[], &[], "a/b", true),
            (&["*.txt"], &[], "home/ann/x.txt", true),
            (&["*.txt"], &[], "home/ann/x.doc", false),
            (&["*.txt"], &[], "home/", false),
            (&["/home/ann"], &[], "home/ann/deep/x", true),
            (&["/ann"], &[], "home/ann/x", false),
            (&["ann/"], &[], "home/ann/x", true),
            (&["ann/"], &[], "home/ann", false),
            (&["/home/*/mail"], &[], "home/bob/mail/new/1", true),
            (&["/home"], &["*.tmp"], "home/a.tmp", false),
            (&["*.tmp"], &["/home"], "home/a.tmp", false),
            (&[], &["cache/"], "home/cache/x", false),
            (&[], &["*.o", "!keep.o"], "src/keep.o", true),
            (&["/home", "!*.iso"], &[], "home/big.iso", false),
            (&["/home", "!*.iso"], &[], "home/small", true),
            (&["**/new/**"], &[], "m/new/cur/1", true),
        ];
        for (include, exclude, path, expected) in cases {
            assert_eq!(chosen(include, exclude, path), expected, "{include:?} {exclude:?} {path}");
        }
        for bad in ["[z-a]", "[a", "", "#notes"] {
            assert_eq!(Choice::new(&[bad.to_owned()], &[]).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
