//! The texts of the systemd units that keep the agent alive, and that notice when it is not.
//!
//! Nothing is touched here: what a unit says follows from who runs it and from what the configuration [needs](Needs).

mod harden;
mod needs;
mod word;

use std::path::PathBuf;

pub use self::needs::{Needs, VARIABLE};
use crate::entry::show;
use crate::error::Result;

/// The agent.
pub const SERVICE: &str = "postkeep.service";
/// The look after runs that did not happen, for when the agent cannot tell of them.
pub const OVERDUE_SERVICE: &str = "postkeep-overdue.service";
/// When that look is taken.
pub const OVERDUE_TIMER: &str = "postkeep-overdue.timer";

/// How the first line of a unit of ours begins. Others are neither written over nor removed.
const MARK: &str = "# Made by postkeep agent install;";

/// The exit codes after which a restart finds the same again: a wrong command line, and another agent on the state
/// folder. After 1 it may not: a full disk gets room, a file is corrected.
const HOPELESS: &str = "2 11";

/// Which systemd runs the units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// The user's own.
    User,
    /// The system's, as this user.
    System(String),
}

impl Manager {
    /// Whether the agent may do everything.
    pub fn is_root(&self) -> bool {
        matches!(self, Self::System(user) if user == "root")
    }

    /// `systemctl`, as it reaches this manager.
    pub fn systemctl(&self) -> &'static str {
        match self {
            Self::User => "systemctl --user",
            Self::System(_) => "systemctl",
        }
    }
}

/// What the units are made from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Who runs them.
    pub manager: Manager,
    /// postkeep itself; absolute.
    pub program: PathBuf,
    /// The folder of the configuration, where it is not the one that the user has anyway; absolute.
    pub config: Option<PathBuf>,
    /// The state folder, likewise.
    pub state: Option<PathBuf>,
    /// What the configuration needs.
    pub needs: Needs,
}

/// A unit: its file's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The file's name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// Whether a file is one that [`Setup::units`] made.
pub fn is_ours(text: &[u8]) -> bool {
    text.starts_with(MARK.as_bytes())
}

impl Setup {
    /// The units: the agent's, and unless it is not wanted the timer's with what it starts.
    ///
    /// # Errors
    /// systemd can start no program with such a path.
    pub fn units(&self, timer: bool) -> Result<Vec<Unit>> {
        let mut units = vec![Unit { name: SERVICE, text: self.agent()? }];
        if timer {
            units.push(Unit { name: OVERDUE_SERVICE, text: self.overdue()? });
            units.push(Unit { name: OVERDUE_TIMER, text: self.timer() });
        }
        Ok(units)
    }

    /// `postkeep` with a verb, as the value of `ExecStart=`.
    fn call(&self, verb: &str) -> Result<String> {
        let mut call = format!("{} {verb}", word::program(&self.program)?);
        for (option, folder) in [("--config", &self.config), ("--state", &self.state)] {
            if let Some(folder) = folder {
                call.push_str(&format!(" {option} {}", word::word(folder.as_os_str().as_encoded_bytes())));
            }
        }
        Ok(call)
    }

    fn head(&self, name: &str) -> String {
        let systemctl = self.manager.systemctl();
        format!("{MARK} it writes this file anew. Your own settings go beside it: {systemctl} edit {name}\n")
    }

    fn agent(&self) -> Result<String> {
        let (after, target) = match self.manager {
            // A user's manager knows neither the network nor the mounts of the system.
            Manager::User => ("", "default.target"),
            Manager::System(_) => (
                "# An order, no condition: it waits for none of these where nothing else starts them.\n\
                 After=network-online.target remote-fs.target time-sync.target\n",
                "multi-user.target",
            ),
        };
        let (head, call, common) = (self.head(SERVICE), self.call("agent")?, self.common(SERVICE));
        Ok(format!(
            "{head}\
             [Unit]\n\
             Description=postkeep agent: runs sync profiles and mails what happened\n\
             {after}\n\
             [Service]\n\
             Type=notify\n\
             NotifyAccess=main\n\
             ExecStart={call}\n\
             ExecReload=kill -HUP $MAINPID\n\
             WatchdogSec=5min\n\
             Restart=on-failure\n\
             RestartSec=30s\n\
             # A wrong command line, and another agent on the same state folder: a restart mends neither.\n\
             RestartPreventExitStatus={HOPELESS}\n\
             # Ended by SIGTERM while a run was at work.\n\
             SuccessExitStatus=130\n\
             # The agent ends what it started, in good order.\n\
             KillMode=mixed\n\
             TimeoutStopSec=20s\n\
             # A command that takes all memory is a run that failed, not the end of the agent.\n\
             OOMPolicy=continue\n\
             {common}\n\
             [Install]\n\
             WantedBy={target}\n"
        ))
    }

    fn overdue(&self) -> Result<String> {
        let head = self.head(OVERDUE_SERVICE);
        let (call, common) = (self.call("overdue --quiet --mail")?, self.common(OVERDUE_SERVICE));
        Ok(format!(
            "{head}\
             [Unit]\n\
             Description=postkeep: mails about runs that did not happen\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             ExecStart={call}\n\
             # Something is overdue: the mail tells of it.\n\
             SuccessExitStatus=3\n\
             TimeoutStartSec=10min\n\
             {common}"
        ))
    }

    /// No `OnCalendar` with `Persistent`: that looks at the moment a machine wakes up, and tells of runs that the
    /// agent is about to make good.
    fn timer(&self) -> String {
        let head = self.head(OVERDUE_TIMER);
        format!(
            "{head}\
             [Unit]\n\
             Description=postkeep: looks for runs that did not happen, should the agent not\n\
             \n\
             [Timer]\n\
             # Not at once: first the agent makes good what was missed while the machine was off.\n\
             OnActiveSec=15min\n\
             OnUnitActiveSec=1h\n\
             RandomizedDelaySec=5min\n\
             \n\
             [Install]\n\
             WantedBy=timers.target\n"
        )
    }

    /// What both services have in common.
    fn common(&self, name: &str) -> String {
        let mut lines = String::new();
        if let Manager::System(user) = &self.manager {
            // Of root too: without it a service of the system has no HOME.
            lines.push_str(&format!("User={user}\n"));
        }
        lines.push_str(&format!("Environment={VARIABLE}={}\n", self.needs.words()));
        lines.push_str(
            "UMask=0077\n\
             # Others at this machine come first.\n\
             Nice=10\n\
             IOSchedulingClass=best-effort\n\
             IOSchedulingPriority=7\n\
             # As many folders are open as a tree is deep.\n\
             LimitNOFILE=65536\n",
        );
        lines.push_str(&harden::lines(&self.manager, &self.needs));
        if !self.needs.credentials.is_empty() {
            lines.push_str(&format!(
                "# Where the passwords lie. Say it with `{} edit {name}`:\n# [Service]\n",
                self.manager.systemctl()
            ));
            for credential in &self.needs.credentials {
                lines
                    .push_str(&format!("# LoadCredential={}:/PATH/OF/A/FILE\n", show(credential.as_bytes())));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests;
