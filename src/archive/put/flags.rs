//! Which flags a message may have where it goes; pure.

/// The flags of IMAP itself that a client may set (RFC 9051, 2.3.2).
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// The longest keyword, and the most of them: servers have limits, and lines do.
const LONGEST: usize = 100;
const MOST: usize = 50;

/// The flags that a folder takes, of those that a message had, and how many it does not take. `permanent` is what the
/// server says that it keeps (PERMANENTFLAGS); None: it does not say, so all.
pub(super) fn usable(had: &[String], permanent: Option<&[String]>) -> (Vec<String>, usize) {
    let mut usable: Vec<String> = Vec::new();
    let mut dropped = 0;
    for flag in had {
        if flag.eq_ignore_ascii_case("\\Recent")
            || usable.iter().any(|known| known.eq_ignore_ascii_case(flag))
        {
            continue;
        }
        let is = |known: &str| known.eq_ignore_ascii_case(flag);
        let system = SYSTEM.iter().copied().find(|known| is(known));
        let kept = match (system, permanent) {
            (Some(_), Some(permanent)) => permanent.iter().any(|known| is(known)),
            (Some(_), None) => true,
            (None, permanent) => {
                let any = permanent.is_none_or(|all| all.iter().any(|known| is(known) || known == "\\*"));
                any && is_keyword(flag)
            }
        };
        if kept && usable.len() < MOST {
            usable.push(system.unwrap_or(flag).to_owned());
        } else {
            dropped += 1;
        }
    }
    (usable, dropped)
}

/// Whether it can stand in a command: an atom (RFC 9051, 9), which begins with no backslash.
fn is_keyword(flag: &str) -> bool {
    let atom = |byte: u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte);
    !flag.is_empty() && flag.len() <= LONGEST && flag.bytes().all(atom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_the_flags_that_it_keeps() {
        let list = |text: &str| {
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        for (had, permanent, usable_flags, dropped) in [
            ("\\seen $Label1 \\Recent", None, "\\Seen $Label1", 0),
            ("\\Seen $Label1", Some("\\Seen \\Answered \\*"), "\\Seen $Label1", 0),
            ("\\Seen $Label1 $Other", Some("\\seen $label1"), "\\Seen $Label1", 1),
            ("\\Seen \\Flagged", Some("\\Answered"), "", 2),
            ("\\Important a(b a\"b {3} ] * ä", None, "", 7),
            ("x X", None, "x", 0),
        ] {
            let permanent = permanent.map(list);
            assert_eq!(usable(&list(had), permanent.as_deref()), (list(usable_flags), dropped), "{had}");
        }
        assert_eq!(usable(&["a\r\nb".into(), String::new(), "x".repeat(101)], None), (vec![], 3));
    }
}
