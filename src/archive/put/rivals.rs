//! Messages that pass for each other by all but their content; pure.
//!
//! Whoever writes a message chooses its Message-ID, so that another one may have it as well. Which of the archive's have a
//! rival is known only when all of them were looked through: those that a call is about are some of them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::identity::{Identity, Read};
use super::route::Routes;
use super::there::far;
use crate::archive::stored::Stored;

/// Looks through the archive. It keeps 24 bytes of a message, and of most of them nothing in the end.
pub struct Survey {
    routes: Routes,
    all: Vec<(u64, One)>,
}

/// What is kept of a message: its size, as far as that fits, what stands for its content, and whether it is to be put.
type One = (u32, u64, bool);

impl Survey {
    /// Of what goes these ways.
    pub(super) fn new(routes: Routes) -> Self {
        Self { routes, all: Vec::new() }
    }

    /// Takes a message of the archive. `wanted`: it is one of those that are to be put.
    pub fn add(&mut self, message: &Stored, wanted: bool) {
        if let Some(key) = key(&self.routes.folder(message), message) {
            self.all.push((key, (size(message.size), content(message), wanted)));
        }
    }

    /// Those that have rivals.
    pub fn rivals(mut self) -> Rivals {
        self.all.sort_unstable();
        let of_one = self.all.chunk_by(|one, other| one.0 == other.0);
        let several = of_one.filter(|group| group.iter().any(|(_, one)| Some(one.1) != first(group)));
        let groups = several.filter_map(|group| {
            Some((group.first()?.0, group.iter().map(|(_, one)| *one).collect::<Vec<_>>()))
        });
        Rivals(groups.collect())
    }
}

fn first(group: &[(u64, One)]) -> Option<u64> {
    group.first().map(|(_, (_, content, _))| *content)
}

/// The messages of an archive that share folder, Message-ID and second with one of other content: by what stands for
/// these three.
#[derive(Debug, Default)]
pub struct Rivals(HashMap<u64, Vec<One>>);

/// What tells a message from the others of the archive that go into its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its bytes: no Message-ID of it is known.
    Unnamed,
    /// Message-ID and second.
    Alone,
    /// Its bytes: another one has both of these. A size tells nothing: what is put becomes larger where it had line ends
    /// of Unix, or where the server writes it anew, and may be as large as the other one then.
    Rival,
}

impl Rivals {
    /// How a message of the archive stands to the others that go into this folder.
    pub(super) fn standing(&self, folder: &str, message: &Stored) -> Standing {
        match key(folder, message) {
            None => Standing::Unnamed,
            Some(key) if self.0.contains_key(&key) => Standing::Rival,
            Some(_) => Standing::Alone,
        }
    }
}

/// What a folder says of a message whose bytes it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is not there.
    Absent,
    /// It is there, written anew: this one stands for it.
    There(usize),
    /// It is there, or else another one is that is not to be put now: this one stands for either.
    Either(usize),
    /// Nobody can tell.
    Unclear,
}

/// Rivals that are known to be in a folder: what stands for their content, by what they share.
#[derive(Debug, Default)]
pub(super) struct Settled(HashMap<u64, Vec<u64>>);

impl Rivals {
    /// A message is known to be in the folder.
    pub(super) fn settle(&self, folder: &str, message: &Stored, settled: &mut Settled) {
        if let Some(key) = key(folder, message).filter(|key| self.0.contains_key(key)) {
            settled.0.entry(key).or_default().push(content(message));
        }
    }

    /// Judges a message of which its folder has no equal, by what that has of the same Message-ID and second and about its
    /// size. What is none of the archive's by its bytes must be one that the server wrote anew. If there are as many of
    /// these as messages are still looked for, they are these. If there are fewer, it is neither said to be there, since
    /// it may be missing, nor put again, since it may be there. If there are at least as many as are to be put now, these
    /// are there, unless others of them were put at another time.
    pub(super) fn judge(
        &self,
        (folder, message): (&str, &Stored),
        bytes: u64,
        settled: &Settled,
        there: &[(usize, Option<Read>)],
    ) -> Sight {
        let key = key(folder, message);
        let Some((key, group)) = key.and_then(|key| Some((key, self.0.get(&key)?))) else {
            return Sight::Absent;
        };
        // All of them, and those that are to be put.
        let mut left: HashMap<u64, [usize; 2]> = HashMap::new();
        for (size, content, wanted) in group {
            let of_size = !far(u64::from(*size), bytes) && !far(bytes, u64::from(*size));
            let [all, some] = left.entry(*content).or_default();
            *all += usize::from(of_size);
            *some += usize::from(of_size && *wanted);
        }
        let found = |counts: &mut [usize; 2]| *counts = counts.map(|count| count.saturating_sub(1));
        for content in settled.0.get(&key).into_iter().flatten() {
            left.entry(*content).and_modify(found);
        }
        let mut strange = Vec::new();
        for (at, read) in there {
            // As it was archived, with CRLF or with LF.
            let names = read.map(|read| [begins(&read.sha256), begins(&read.content)]);
            match names.into_iter().flatten().find(|content| left.contains_key(content)) {
                Some(ours) => {
                    left.entry(ours).and_modify(found);
                }
                None => strange.push(*at),
            }
        }
        let [all, some] = left.values().fold([0; 2], |[all, some], one| [all + one[0], some + one[1]]);
        match strange.first() {
            None => Sight::Absent,
            Some(at) if strange.len() >= all => Sight::There(*at),
            Some(at) if strange.len() >= some => Sight::Either(*at),
            Some(_) => Sight::Unclear,
        }
    }
}

/// What stands for folder, Message-ID and second. Two that differ and have the same are compared by their bytes for
/// nothing.
fn key(folder: &str, message: &Stored) -> Option<u64> {
    let ours = Identity::of(message);
    let mut hash = blake3::Hasher::new();
    hash.update(&ours.id?);
    hash.update(&ours.date.map_or(0, Timestamp::as_second).to_le_bytes());
    hash.update(folder.as_bytes());
    Some(begins(hash.finalize().as_bytes()))
}

fn size(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What stands for the content of a message. One of which it is not known is as no other one.
fn content(message: &Stored) -> u64 {
    if message.marks.sha256 != [0; 32] {
        return begins(&message.marks.sha256);
    }
    begins(blake3::hash(message.title().as_bytes()).as_bytes())
}

fn begins(hash: &[u8; 32]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| hash[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::put::tests::message;

    /// A message with this Message-ID, size and content, that came in this second.
    fn of(id: Option<&str>, second: i64, size: u64, content: u8) -> Stored {
        let mut one = message(u32::from(content), "x");
        one.place.date = Timestamp::from_second(second).unwrap();
        one.marks.message_id = id.map(str::to_owned);
        one.marks.sha256 = [content; 32];
        one.size = size;
        one
    }

    #[test]
    fn a_message_is_told_from_those_of_its_folder_by_what_they_do_not_share() {
        use Standing::{Alone, Rival, Unnamed};
        let one = of(Some("<1>"), 5, 10, 1);
        let elsewhere = |mut other: Stored| {
            other.place.folder = "Work".into();
            other
        };
        let unknown = |size| of(Some("<1>"), 5, size, 0);
        for (others, standing) in [
            (vec![], Alone),
            // The same once more, and others of another second, Message-ID or folder.
            (vec![of(Some("<1>"), 5, 10, 1), of(Some("<1>"), 6, 10, 2), of(Some("<2>"), 5, 10, 3)], Alone),
            (vec![elsewhere(of(Some("<1>"), 5, 10, 2))], Alone),
            // Of another size, which it need not have at the server.
            (vec![of(Some("<1>"), 5, 11, 2)], Rival),
            (vec![of(Some("< 1>"), 5, 10, 2)], Rival),
            (vec![of(Some("<1>"), 5, 10, 1), of(Some("<1>"), 5, 10, 2), of(Some("<1>"), 5, 11, 3)], Rival),
            (vec![unknown(10)], Rival),
            (vec![unknown(11)], Rival),
        ] {
            let mut survey = Survey::new(Routes::default());
            others.iter().chain([&one]).for_each(|message| survey.add(message, true));
            assert_eq!(survey.rivals().standing("INBOX", &one), standing, "{others:?}");
        }
        assert_eq!(Rivals::default().standing("INBOX", &of(None, 5, 10, 1)), Unnamed);
        // Nothing is kept of those that are alone; two whose content is not known are no pair.
        let mut survey = Survey::new(Routes::default());
        (0..100).for_each(|second| survey.add(&of(Some("<1>"), second, 10, 1), true));
        assert!(survey.rivals().0.is_empty());
        let mut survey = Survey::new(Routes::default());
        let mut other = unknown(10);
        other.place.key = "other".into();
        [unknown(10), other].iter().for_each(|message| survey.add(message, true));
        assert_eq!(survey.rivals().standing("INBOX", &unknown(10)), Rival);
    }

    #[test]
    fn what_a_server_wrote_anew_is_known_when_all_of_it_is_there() {
        use Sight::{Absent, Either, There, Unclear};
        let rival = |size, content| of(Some("<1>"), 5, size, content);
        let all = [rival(100, 1), rival(100, 2), rival(50_000, 3)];
        let mut survey = Survey::new(Routes::default());
        all.iter().for_each(|message| survey.add(message, true));
        let rivals = survey.rivals();
        let read = |content: u8| Some(Read { content: [0xee; 32], sha256: [content; 32] });
        let anew = read(0xaa);
        let lf = Some(Read { content: [2; 32], sha256: [0xbb; 32] });
        for (settled, there, sight) in [
            (&[][..], vec![], Absent),
            // Another one of ours, and that twice.
            (&[], vec![read(2)], Absent),
            (&[], vec![lf], Absent),
            (&[], vec![read(2), read(2)], Absent),
            // One of two that may be either of them; both; the one that is looked for, as the other one is found.
            (&[], vec![anew], Unclear),
            (&[], vec![None], Unclear),
            (&[], vec![anew, anew], There(0)),
            (&[], vec![read(2), anew], There(1)),
            (&[2], vec![anew], There(0)),
            (&[2], vec![], Absent),
            (&[3], vec![anew], Unclear),
        ] {
            let mut known = Settled::default();
            settled.iter().for_each(|at| rivals.settle("INBOX", &all[at - 1], &mut known));
            let there: Vec<_> = there.into_iter().enumerate().collect();
            let judged = rivals.judge(("INBOX", &all[0]), 100, &known, &there);
            assert_eq!(judged, sight, "{settled:?} {there:?}");
        }
        // Where the second one is not to be put: there may be the first one, or the second that was put at another time.
        let mut survey = Survey::new(Routes::default());
        all.iter().zip([true, false, true]).for_each(|(message, wanted)| survey.add(message, wanted));
        let some = survey.rivals();
        for (there, sight) in [
            (vec![], Absent),
            (vec![anew], Either(0)),
            (vec![anew, anew], There(0)),
            (vec![read(2)], Absent),
            (vec![read(2), anew], There(1)),
        ] {
            let there: Vec<_> = there.into_iter().enumerate().collect();
            let judged = some.judge(("INBOX", &all[0]), 100, &Settled::default(), &there);
            assert_eq!(judged, sight, "{there:?}");
        }
        // One that has no rivals is told by other means.
        assert_eq!(
            Rivals::default().judge(("INBOX", &all[0]), 100, &Settled::default(), &[(0, anew)]),
            Absent
        );
    }
}
