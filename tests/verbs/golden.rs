//! Golden files: what a verb said when a person last looked at it.

use std::path::Path;

use crate::common::Sandbox;

/// Compares with `tests/golden/NAME.txt`, with placeholders for what differs from run to run. With `POSTKEEP_BLESS=1`
/// in the environment the file is rewritten instead: look at the change before it is committed.
#[track_caller]
pub fn golden(name: &str, sandbox: &Sandbox, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let actual = settled(&seen.replace(sandbox.path("").to_str().unwrap(), "/SANDBOX/"), &host);
    if std::env::var_os("POSTKEEP_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(&path);
    let expected = expected.unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    assert!(
        expected == actual,
        "{name} is not as it was (POSTKEEP_BLESS=1 takes the new one):\n{}",
        difference(&expected, &actual)
    );
}

/// The lines that went and those that came.
fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..].iter().rev().zip(new[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut out = String::new();
    for (sign, lines) in [('-', &old), ('+', &new)] {
        for (at, line) in lines.iter().enumerate().take(lines.len() - tail).skip(same) {
            out.push_str(&format!("{:5} {sign} {line}\n", at + 1));
        }
    }
    if out.is_empty() { "only the end of the last line differs".into() } else { out }
}

/// The text with placeholders for ids, times, durations, tokens, the host and the like.
fn settled(text: &str, host: &str) -> String {
    let mut out = String::new();
    let mut path_above = false;
    for line in text.lines() {
        let mut line = settled_line(line, host);
        // Carets below a path are as many as the path is long.
        while path_above && line.contains("^^") {
            line = line.replace("^^", "^");
        }
        path_above = line.contains("/SANDBOX/");
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Lines without what lines up their columns.
pub fn squeezed(text: &str) -> String {
    let mut text = text.to_owned();
    while text.contains("   ") {
        text = text.replace("   ", "  ");
    }
    text
}

fn settled_line(line: &str, host: &str) -> String {
    for (label, placeholder) in [("  Free in the target", "FREE"), ("  Throughput", "SPEED")] {
        if line.starts_with(label) {
            return format!("{label}  {placeholder}");
        }
    }
    let mut out = String::new();
    let mut rest = line;
    let mut timed = false;
    while !rest.is_empty() {
        let at_word = !out.ends_with(|c: char| c.is_alphanumeric());
        let found = if at_word { placeholder(rest, host) } else { None };
        if let Some((length, placeholder)) = found {
            timed |= ["WHEN", "TOOK"].contains(&placeholder);
            out.push_str(placeholder);
            rest = &rest[length..];
        } else {
            let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    // Times and durations are of several lengths: the columns behind them stand now here, now there.
    let head = ["PROFILE ", "RUN ", "WHEN "].iter().any(|head| out.starts_with(head));
    if timed || head { squeezed(&out) } else { out }
}

/// What the text begins with, if it is something that differs from run to run: its length, and what stands for it.
fn placeholder(text: &str, host: &str) -> Option<(usize, &'static str)> {
    let word = |text: &str, is: fn(char) -> bool| text.find(|c| !is(c)).unwrap_or(text.len());
    let capitals = word(text, |c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if text.starts_with('0') && (capitals == 26 || capitals == 13) {
        return Some((capitals, if capitals == 26 { "ID" } else { "RUN-ID" }));
    }
    if let Some(length) = time(text) {
        return Some((length, "WHEN"));
    }
    if let Some(length) = span(text) {
        return Some((length, "TOOK"));
    }
    let name = word(text, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if text[..name].contains("_postkeep-") {
        return Some((name, "LETTER"));
    }
    if let Some(token) = text.strip_prefix("--approve ") {
        let digits = word(token, |c| c.is_ascii_hexdigit());
        return (digits == 10).then_some(("--approve ".len() + digits, "--approve TOKEN"));
    }
    if &text[..name] == host {
        return Some((name, "HOST"));
    }
    let version = env!("CARGO_PKG_VERSION");
    text.strip_prefix("postkeep ").and_then(|rest| rest.strip_prefix(version))?;
    Some(("postkeep ".len() + version.len(), "postkeep VERSION"))
}

/// The length of `Mon 3 Nov 2025 10:00 CET`, `03 Nov 2025 10:00`, `Mon 10:00` or `today 10:00`.
fn time(text: &str) -> Option<usize> {
    const DAYS: [&str; 8] = ["Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun ", "today "];
    let day = DAYS.iter().find(|day| text.starts_with(**day)).map_or(0, |day| day.len());
    let near = text.as_bytes().get(day..day + "00:00".len());
    let is_clock = |clock: &[u8]| clock[2] == b':' && clock.iter().all(|b| b.is_ascii_digit() || *b == b':');
    if day > 0 && near.is_some_and(is_clock) {
        return Some(day + "00:00".len());
    }
    let mut words = text[day..].split(' ');
    let (date, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let fits = number(date) && number(year) && year.len() == 4 && clock.as_bytes().get(2) == Some(&b':');
    if !fits || clock.len() < "00:00".len() {
        return None;
    }
    let length = day + date.len() + 1 + month.len() + " 2026 00:00".len();
    let zone = [" CET", " CEST"].into_iter().find(|zone| text[length..].starts_with(zone));
    Some(length + zone.map_or(0, str::len))
}

/// The length of a duration: `4 ms`, `1.2 s`, `6 min 12 s`.
fn span(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let rest = text[digits..].strip_prefix(' ')?;
    let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    if digits == 0 || !["ms", "s", "min", "h"].contains(&&rest[..unit]) {
        return None;
    }
    let length = digits + 1 + unit;
    let second = text[length..].strip_prefix(' ').and_then(span);
    Some(length + second.map_or(0, |second| second + 1))
}

#[test]
fn what_differs_from_run_to_run_gets_a_placeholder() {
    for (line, shown) in [
        ("docs: ok, 3 new; in 4 ms", "docs: ok, 3 new; in TOOK"),
        ("after 6 min 12 s: x", "after TOOK: x"),
        ("01M85CJATG4G1  docs  24 Nov 2026 00:41  4.1 s   ok", "RUN-ID  docs  WHEN  TOOK  ok"),
        ("nas1, postkeep 0.1.0x 3 similar", "HOST, postkeep 0.1.0x 3 similar"),
        ("Started  Tue 4 Nov 2026 00:41 CET", "Started  WHEN"),
        ("run docs --approve 0123456789", "run docs --approve TOKEN"),
        ("mail/new/1.M7P1_postkeep-01M85CJATG4G1YQDP2HSJ9W1BG.nas1", "mail/new/LETTER"),
        ("01M85CJATG4G1YQDP2HSJ9W1BG", "ID"),
        ("paused since today 09:00 until Mon 09:00", "paused since WHEN until WHEN"),
    ] {
        let line = line.replace("0.1.0x", env!("CARGO_PKG_VERSION"));
        let shown = shown.replace("postkeep 0.1.0x", "postkeep VERSION");
        assert_eq!(settled_line(&line, "nas1"), shown);
    }
}
