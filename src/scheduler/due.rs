//! The due times of a profile.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Memory;
use crate::profile::{Rhythm, Timing};

/// Of more due times than this nobody wants to know the number.
const MOST_COUNTED: u64 = 1_000;

/// The period where there is none to be seen: of a schedule that ends, or of a profile without one.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long after a start or a sleep missed runs are caught up at the earliest: disks and networks come back first.
const DELAY: SignedDuration = SignedDuration::from_mins(2);

/// By how much more, at most: not all at once.
const DELAY_SPREAD: u64 = 180;

/// By what a profile is scheduled.
#[derive(Debug, Clone)]
pub struct Rules {
    /// As its file says.
    pub timing: Timing,
    /// The zone of its schedule.
    pub zone: TimeZone,
    /// A number of this profile on this machine, the same every day.
    pub spread: u64,
}

/// Due times that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The last of them.
    pub latest: Timestamp,
    /// How many there are, counted up to a thousand.
    pub times: u64,
}

impl Rules {
    /// The rules of `profile` on the machine `machine`, whose zone is `system`.
    pub fn new(profile: &str, timing: &Timing, system: &TimeZone, machine: &str) -> Self {
        let hash = blake3::hash(format!("{machine}\n{profile}").as_bytes());
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        Self { zone: timing.zone(system), timing: timing.clone(), spread: u64::from_le_bytes(number) }
    }

    /// Stands for the rhythm: another text is another rhythm.
    pub fn rhythm(&self) -> String {
        match &self.timing.rhythm {
            Rhythm::None => String::new(),
            Rhythm::Every(length) => format!("every {length}"),
            // Not the zone: where the machine is does not change what was meant.
            Rhythm::Schedule(schedule) => {
                let zone = self.timing.zone.as_deref().unwrap_or("local");
                format!("{} {zone}", schedule.lines().collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// The first due time after `after`, without jitter. `anchor` is a due time that others are counted from.
    pub fn next(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match &self.timing.rhythm {
            Rhythm::None => None,
            Rhythm::Schedule(schedule) => schedule.next_after(after, &self.zone),
            Rhythm::Every(length) => {
                let passed = after.duration_since(anchor).as_millis().max(0) / length.as_millis().max(1);
                step(anchor, *length, passed + 1)
            }
        }
    }

    /// The last due time in `(after, now]`, and how many there are; None if there is none.
    pub fn missed(&self, after: Timestamp, now: Timestamp) -> Option<Missed> {
        let first = self.next(after, after).filter(|first| *first <= now)?;
        if let Rhythm::Every(length) = &self.timing.rhythm {
            let times = now.duration_since(after).as_millis() / length.as_millis().max(1);
            let latest = step(after, *length, times)?;
            return Some(Missed { latest, times: u64::try_from(times).unwrap_or(0).min(MOST_COUNTED) });
        }
        // The next due time after a moment grows with the moment: the last one is where it passes `now`.
        let (mut low, mut high) = (first.as_second(), now.as_second());
        while low < high {
            let middle = low.midpoint(high);
            let passes = Timestamp::from_second(middle)
                .ok()
                .and_then(|middle| self.next(after, middle))
                .is_none_or(|next| next > now);
            if passes {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let latest = Timestamp::from_second(low).ok()?;
        let mut times = 1;
        let mut at = first;
        while at < latest && times < MOST_COUNTED {
            at = self.next(after, at)?;
            times += 1;
        }
        Some(Missed { latest, times })
    }

    /// How much time lies between the due time `due` and the one after it.
    pub fn period(&self, due: Timestamp) -> SignedDuration {
        self.next(due, due).map_or(DAY, |next| next.duration_since(due))
    }

    /// How late the run for `due` may be.
    pub fn grace(&self, due: Timestamp) -> SignedDuration {
        self.timing.grace(self.period(due))
    }

    /// By how much the run for `due` is put off: at most a tenth of the period, in whole seconds.
    pub fn jitter(&self, due: Timestamp) -> SignedDuration {
        let Some(most) = self.timing.jitter else { return SignedDuration::ZERO };
        let most = most.min(self.period(due) / 10).as_secs().max(0).cast_unsigned();
        SignedDuration::from_secs((self.spread % (most + 1)).cast_signed())
    }

    /// How long after a start or a sleep of the machine what was missed is caught up.
    pub fn delay(&self) -> SignedDuration {
        DELAY + SignedDuration::from_secs((self.spread % DELAY_SPREAD).cast_signed())
    }

    /// When the next run comes that the clock brings about, jitter included.
    pub fn next_run(&self, memory: &Memory, now: Timestamp) -> Option<Timestamp> {
        let from = memory.served.max(now);
        let retry = memory.retry.map(|retry| retry.at);
        let due = self.next(memory.served, from).map(|due| due + self.jitter(due));
        [retry, due].into_iter().flatten().min()
    }
}

/// `anchor` and `times` lengths.
fn step(anchor: Timestamp, length: SignedDuration, times: i128) -> Option<Timestamp> {
    let millis = length.as_millis().checked_mul(times)?;
    anchor.checked_add(SignedDuration::from_millis(i64::try_from(millis).ok()?)).ok()
}
