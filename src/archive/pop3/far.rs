//! How far fetching is, and whether it is a message's fault that it does not go on; pure.

/// At how many sessions that ended at it a message is the cause.
const STRIKES: u32 = 3;

/// How many messages may be given up for that without one between them that came: then it is not because of them.
const IN_A_ROW: u32 = 10;

/// How far fetching is.
#[derive(Debug, Default)]
pub(super) struct Far {
    /// How many messages are answered.
    pub done: usize,
    /// How often it was tried in vain since then.
    pub tries: usize,
    /// How often a session ended at the next one.
    strikes: u32,
    /// How many were given up since the last that came.
    given_up: u32,
}

impl Far {
    /// So many are answered now; whether any of them came. Another message has no part in what went wrong before it.
    pub fn answered(&mut self, done: usize, came: bool) {
        if came {
            self.given_up = 0;
        }
        if done > self.done {
            *self = Self { done, given_up: self.given_up, ..Self::default() };
        }
    }

    /// A session ended at the next message. Whether that one is given up, as its answer.
    pub fn broke(&mut self) -> bool {
        self.strikes += 1;
        let given_up = self.strikes >= STRIKES && self.given_up < IN_A_ROW;
        if given_up {
            self.given_up += 1;
            self.answered(self.done + 1, false);
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_messages_may_be_bad_and_not_all_of_them() {
        let mut far = Far::default();
        let gives_up = |far: &mut Far| {
            (0..9).find(|_| {
                let given_up = far.broke();
                far.tries += usize::from(!given_up);
                given_up
            })
        };
        for at in 1..=IN_A_ROW {
            assert_eq!((gives_up(&mut far), far.done, far.tries), (Some(2), at as usize, 0));
        }
        // An answer that is no message says nothing for the server.
        far.answered(11, false);
        assert_eq!((gives_up(&mut far), far.done, far.tries), (None, 11, 9));
        far.answered(12, true);
        assert_eq!((far.tries, gives_up(&mut far), far.done), (0, Some(2), 13));
        // What ended a session before is not the fault of another message.
        assert!(!far.broke() && !far.broke());
        far.answered(14, false);
        assert!(!far.broke());
    }
}
