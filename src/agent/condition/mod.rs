//! What must be so for a run that nobody asked for. A run that a person starts goes in any case.

mod world;

use std::path::Path;

pub use self::world::Machine;
use crate::entry::show;
use crate::profile::OnlyIf;

/// What the conditions ask of the machine.
pub trait World {
    /// Whether something is mounted at this path.
    fn is_mounted(&self, path: &Path) -> bool;
    /// Whether it runs on its battery.
    fn is_on_battery(&self) -> bool;
    /// Whether there is a way to other machines.
    fn is_online(&self) -> bool;
}

/// Why a run has to be skipped, in a sentence without its full stop; None: it can go.
pub fn unmet(only_if: &OnlyIf, look: &dyn World) -> Option<String> {
    if let Some(path) = only_if.mounted.iter().find(|path| !look.is_mounted(path)) {
        return Some(format!("nothing is mounted at {}", show(path.as_os_str().as_encoded_bytes())));
    }
    if only_if.on_ac_power && look.is_on_battery() {
        return Some("the machine runs on its battery".into());
    }
    if only_if.online && !look.is_online() {
        return Some("there is no way to other machines".into());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake {
        mounted: &'static [&'static str],
        battery: bool,
        online: bool,
    }

    impl World for Fake {
        fn is_mounted(&self, path: &Path) -> bool {
            self.mounted.iter().any(|mounted| Path::new(mounted) == path)
        }

        fn is_on_battery(&self) -> bool {
            self.battery
        }

        fn is_online(&self) -> bool {
            self.online
        }
    }

    #[test]
    fn the_first_condition_that_does_not_hold_is_named() {
        let good = || Fake { mounted: &["/mnt/nas", "/media/b c"], battery: false, online: true };
        let cut_off = Fake { online: false, ..good() };
        let on_the_road = Fake { mounted: &["/mnt/nas"], battery: true, online: false };
        let rules = |online, on_ac_power, mounted: &[&str]| OnlyIf {
            online,
            on_ac_power,
            mounted: mounted.iter().map(Into::into).collect(),
        };
        let both = ["/mnt/nas", "/media/b\nc"];
        let (no_net, battery) = ("there is no way to other machines", "the machine runs on its battery");
        for (only_if, look, expected) in [
            (rules(false, false, &[]), &on_the_road, None),
            (rules(true, true, &["/mnt/nas"]), &good(), None),
            (rules(true, true, &["/mnt/nas"]), &cut_off, Some(no_net)),
            (rules(false, true, &["/mnt/nas"]), &cut_off, None),
            (rules(true, true, &["/mnt/nas"]), &on_the_road, Some(battery)),
            (rules(true, false, &[]), &on_the_road, Some(no_net)),
            (rules(true, true, &both), &on_the_road, Some("nothing is mounted at /media/b\\nc")),
        ] {
            assert_eq!(unmet(&only_if, look).as_deref(), expected, "{only_if:?}");
        }
    }
}
