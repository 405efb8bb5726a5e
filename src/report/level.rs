//! Which runs are worth a letter.

use crate::profile::Level;
use crate::run::Status;

/// The level of a run that ended as `status`; `after_failure` says that the run before it was no success.
///
/// A warning stays a warning, even as the first run to finish after failures: it still needs a look.
pub fn level(status: Status, after_failure: bool) -> Level {
    match status {
        Status::Ok | Status::Unchanged if after_failure => Level::Recovery,
        Status::Ok => Level::Success,
        Status::Unchanged => Level::Unchanged,
        Status::Warning | Status::Paused => Level::Warning,
        Status::Failed | Status::Stopped | Status::Cancelled | Status::Interrupted | Status::Running => {
            Level::Failure
        }
    }
}

/// Whether a run of `level` is mailed under a profile's `on`. A profile's first success, and the first after an
/// edit (`first`), is mailed whatever `on` says: it proves that letters arrive.
pub fn is_mailed(level: Level, on: &[Level], first: bool) -> bool {
    on.contains(&level) || (first && level != Level::Failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_level() {
        for (status, after_success, after_failure) in [
            (Status::Ok, Level::Success, Level::Recovery),
            (Status::Unchanged, Level::Unchanged, Level::Recovery),
            (Status::Warning, Level::Warning, Level::Warning),
            (Status::Paused, Level::Warning, Level::Warning),
            (Status::Failed, Level::Failure, Level::Failure),
            (Status::Stopped, Level::Failure, Level::Failure),
            (Status::Cancelled, Level::Failure, Level::Failure),
            (Status::Interrupted, Level::Failure, Level::Failure),
        ] {
            assert_eq!(level(status, false), after_success, "{status:?}");
            assert_eq!(level(status, true), after_failure, "{status:?}");
        }
    }

    #[test]
    fn only_a_first_success_overrules_the_profile() {
        let on = [Level::Failure];
        for (level, first, mailed) in [
            (Level::Failure, false, true),
            (Level::Success, false, false),
            (Level::Success, true, true),
            (Level::Unchanged, true, true),
        ] {
            assert_eq!(is_mailed(level, &on, first), mailed, "{level:?} {first}");
        }
        assert!(!is_mailed(Level::Failure, &[Level::Success], true));
    }
}
