//! Which way a letter takes, as a pure function of what is known of its account.

use jiff::{SignedDuration, Timestamp};

use crate::profile::{ReportRules, Way};
use crate::state::Health;

/// How long an account may be down before a letter looks for another way, and how old a letter is when it is late.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// The ways that a letter takes when its own account did not take it now: at once when the account refuses our login,
/// for then nobody would hear of that; after an hour when it is merely down.
pub(super) fn other_ways<'r>(health: Option<&Health>, rules: &'r ReportRules, now: Timestamp) -> &'r [Way] {
    let needed = health.is_some_and(|health| {
        let down = health.down_since.is_some_and(|since| now.duration_since(since) >= PATIENCE);
        health.refused_secret.is_some() || down
    });
    if needed { &rules.fallback } else { &[] }
}

/// Whether a letter says that it is late. Once it does it always will, so that a second try sends the same bytes.
pub(super) fn is_late(created: Timestamp, tries: u32, now: Timestamp) -> bool {
    tries > 0 && now.duration_since(created) >= PATIENCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{AttachLog, Level};

    #[test]
    fn other_ways_are_taken_at_once_after_a_refused_login_else_after_an_hour() {
        let rules = ReportRules {
            account: Some("mail".into()),
            to: Vec::new(),
            from: None,
            fallback: vec![Way::Account("other".into()), Way::Webhook],
            webhook: None,
            digest: None,
            on: vec![Level::Failure],
            attach_log: AttachLog::Never,
            attach_log_max: 0,
            time_zone: None,
        };
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let health = |down: Option<i64>, refused: bool| Health {
            name: "mail".into(),
            down_since: down.map(at),
            reason: None,
            refused_secret: refused.then(|| "3f9a".into()),
        };
        let cases = [
            (None, 1000, false),
            (Some(health(Some(0), false)), 59, false),
            (Some(health(Some(0), false)), 60, true),
            (Some(health(None, true)), 0, true),
            (Some(health(Some(0), true)), 0, true),
            // A clock that was put back.
            (Some(health(Some(500), false)), 0, false),
        ];
        for (health, now, expected) in cases {
            let ways = other_ways(health.as_ref(), &rules, at(now));
            assert_eq!(ways.len(), if expected { 2 } else { 0 }, "{health:?} {now}");
        }
    }

    #[test]
    fn a_letter_is_late_when_it_was_tried_in_vain_and_is_an_hour_old() {
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        for (tries, minutes, late) in
            [(0, 600, false), (1, 59, false), (1, 60, true), (9, 6000, true), (3, -5, false)]
        {
            assert_eq!(is_late(at(0), tries, at(minutes)), late, "{tries} {minutes}");
        }
    }
}
