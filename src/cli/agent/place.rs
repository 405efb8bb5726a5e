//! Where units are, and the systemd that reads them.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::cli::usage;
use crate::daemon::unit::{self, Manager};
use crate::entry::show;
use crate::error::{Context as _, Error, Result};
use crate::profile::quote;

/// Which systemd is meant.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// A service of the system, not of the user; needs root
    #[arg(long)]
    pub system: bool,
}

/// Where units are, and the systemd that reads them.
pub(super) struct Place {
    pub system: bool,
    /// The folder of the units.
    pub folder: PathBuf,
}

impl Place {
    pub fn new(args: &PlaceArgs) -> Result<Self> {
        let folder = if args.system {
            "/etc/systemd/system".into()
        } else {
            let absolute =
                |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
            let config =
                absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
            config.ok_or_else(|| usage("HOME is not set"))?.join("systemd/user")
        };
        Ok(Self { system: args.system, folder })
    }

    /// Refuses to touch the system as anybody but root.
    pub fn must_be_writable(&self, verb: &str) -> Result<()> {
        if !self.system || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        Err(Error::other("a service of the system is for root to install and to remove")
            .hint(format!("sudo postkeep agent {verb} --system"))
            .hint(format!("or without root: `postkeep agent {verb}` is about a service of your own")))
    }

    /// `systemctl --user`, or `systemctl`.
    pub fn systemctl(&self) -> &'static str {
        if self.system { "systemctl" } else { Manager::User.systemctl() }
    }

    /// Calls systemctl; what it says is heard only if it fails.
    pub fn call(&self, args: &[&str]) -> Result<()> {
        let words = || format!("`{} {}`", self.systemctl(), args.join(" "));
        let mut command = Command::new("systemctl");
        command.args((!self.system).then_some("--user")).args(args);
        let output = match command.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::other("this machine has no systemctl"));
            }
            output => output.context(|| format!("cannot start {}", words()))?,
        };
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let said = if said.is_empty() { output.status.to_string() } else { said.join("; ") };
        Err(Error::other(format!("{} failed", words())).caused_by(show(said.as_bytes())))
    }

    /// The file of a unit as it is; None if there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.folder.join(name);
        match std::fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            // A link that leads nowhere is there all the same.
            Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => Ok(None),
            Err(error) => Err(error).context(|| format!("cannot read {}", path.display())),
        }
    }

    /// As [`Self::read`]; a unit that is not ours is refused.
    pub fn read_ours(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let text = self.read(name)?;
        if text.as_ref().is_none_or(|text| unit::is_ours(text)) {
            return Ok(text);
        }
        let path = self.folder.join(name);
        Err(Error::other(format!("{} is not a unit that postkeep made; it was left as it is", path.display()))
            .hint(format!(
                "if it starts `postkeep run` by a timer, the agent takes its place: {} disable --now postkeep.timer \
                 {name}, and move both files away",
                self.systemctl()
            )))
    }
}

/// A user of this machine: number and home.
pub(super) fn user(name: &str) -> Result<(u32, PathBuf)> {
    let unknown = || usage(format!("there is no user {}", quote(name)));
    // getent knows of users that are in no file of this machine. A name that it would take for an option is none.
    if name.is_empty()
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        || name.starts_with('-')
    {
        return Err(unknown());
    }
    let output = Command::new("getent").args(["passwd", name]).output();
    let output = output.context(|| "cannot start getent, which knows the users".into())?;
    let line = output.stdout.split(|b| *b == b'\n').next().unwrap_or_default();
    let fields: Vec<_> = line.split(|b| *b == b':').collect();
    let [own, _, number, _, _, home, ..] = fields.as_slice() else { return Err(unknown()) };
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    match number {
        // A number instead of a name is a user too, but not to be written down as one.
        Some(number) if *own == name.as_bytes() => {
            Ok((number, Path::new(&OsString::from_vec(home.to_vec())).to_owned()))
        }
        _ => Err(unknown()),
    }
}
