//! Whole reports: as they were last looked at, as another program reads them, and under hostile input.

use std::path::Path;

use jiff::SignedDuration;
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::cases::{self, Case};
use super::{MOST_BODY, Rendered, golden, render};
use crate::profile::AttachLog;
use crate::run::{Failure, Outcome, Severity, Status};

fn rendered(case: &Case) -> Rendered {
    render(&case.facts()).unwrap_or_else(|e| panic!("{}: {e:?}", case.name))
}

/// The headers of a letter, with `\n` at line ends.
pub fn header_block(mail: &[u8]) -> String {
    let text = String::from_utf8(mail.to_vec()).unwrap();
    text.split_once("\r\n\r\n").unwrap().0.replace("\r\n", "\n") + "\n"
}

#[test]
fn every_case_looks_as_it_did() {
    for case in cases::all() {
        let report = rendered(&case);
        golden::compare(&format!("{}.txt", case.name), &report.text);
        golden::compare(&format!("{}.html", case.name), &report.html);
        golden::compare(&format!("{}.head", case.name), &header_block(&report.mail));
        if case.name != "ten-thousand" {
            golden::compare(&format!("{}.json", case.name), &super::json::print(&report.json));
        }
    }
}

/// With `POSTKEEP_MAIL_DUMP=DIR` in the environment the letters are also written there, for other programs to judge.
#[test]
fn every_letter_is_whole_within_limits_and_always_the_same() {
    for case in cases::all() {
        let report = rendered(&case);
        assert_eq!(report, rendered(&case), "{}", case.name);
        well_formed(&report, &HEADERS);
        dump(case.name, &report);
    }
}

/// With `POSTKEEP_MAIL_DUMP=DIR` in the environment letters are written there.
pub fn dump(name: &str, report: &Rendered) {
    if let Some(dir) = std::env::var_os("POSTKEEP_MAIL_DUMP") {
        let file = |end: &str| Path::new(&dir).join(format!("{name}.{end}"));
        std::fs::write(file("eml"), &report.mail).unwrap();
        std::fs::write(file("html"), &report.html).unwrap();
    }
}

/// The headers of a letter about a run of a profile.
pub const HEADERS: [&str; 15] = [
    "From",
    "To",
    "Date",
    "Subject",
    "Message-ID",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "List-Id",
    "X-Postkeep-Profile",
    "X-Postkeep-Host",
    "X-Postkeep-Status",
    "X-Postkeep-Run",
    "MIME-Version",
    "Content-Type",
];

/// Those of a letter that is not about all of that.
pub fn headers_without(left_out: &[&str]) -> Vec<&'static str> {
    HEADERS.into_iter().filter(|name| !left_out.contains(name)).collect()
}

/// What must hold of any letter, whatever it is about.
pub fn well_formed(report: &Rendered, headers: &[&str]) {
    assert!(report.text.len() + report.html.len() <= MOST_BODY);
    assert!(super::json::print(&report.json).len() <= 64 << 10);
    assert!(report.mail.is_ascii());
    let text = std::str::from_utf8(&report.mail).unwrap();
    assert!(text.ends_with("\r\n"));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "bare CR or LF");
    assert!(text.split("\r\n").all(|line| line.len() <= 998));

    let names: Vec<String> = header_block(&report.mail)
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, headers);

    let mail = MessageParser::default().parse(&report.mail).unwrap();
    assert_eq!(mail.subject(), Some(report.subject.as_str()));
    assert_eq!(format!("<{}>", mail.message_id().unwrap()), report.message_id);
    let mut kinds: Vec<String> = mail
        .parts
        .iter()
        .map(|part| {
            let kind = part.content_type().unwrap();
            format!("{}/{}", kind.ctype(), kind.subtype().unwrap())
        })
        .collect();
    if kinds.last().is_some_and(|kind| kind == "application/gzip") {
        kinds.pop();
    }
    let expected =
        ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/json"];
    assert_eq!(kinds, expected);
    let unix = |text: &str| text.replace("\r\n", "\n");
    assert_eq!(unix(&mail.body_text(0).unwrap()), report.text);
    assert_eq!(unix(&mail.body_html(0).unwrap()), report.html);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(mail.parts[4].contents()).unwrap(), report.json);
}

#[test]
fn the_log_comes_when_the_profile_says_so() {
    let names = |case: &Case| -> Vec<String> {
        let report = rendered(case);
        let mail = MessageParser::default().parse(&report.mail).unwrap();
        mail.attachments().map(|part| part.attachment_name().unwrap().to_owned()).collect()
    };
    for case in cases::all().iter_mut().filter(|case| case.name != "hostile") {
        let bad = !matches!(case.run.outcome.status, Status::Ok | Status::Unchanged);
        for (rule, attached) in
            [(AttachLog::Always, true), (AttachLog::OnFailure, bad), (AttachLog::Never, false)]
        {
            case.rules.attach_log = rule;
            let log = format!("{}.log.gz", case.run.profile);
            let expected = if attached { vec!["report.json", &log] } else { vec!["report.json"] };
            assert_eq!(names(case), expected, "{} {rule:?}", case.name);
        }
    }
}

#[test]
fn the_most_that_can_be_said_still_fits() {
    let mut case = cases::all().into_iter().find(|case| case.name == "hostile").unwrap();
    let nasty = "\"&'<>/\u{10ffff}".repeat(600);
    let outcome = &mut case.run.outcome;
    outcome.failures = (0..500)
        .map(|n| Failure {
            severity: if n % 2 == 0 { Severity::Error } else { Severity::Warning },
            path: format!("{nasty}{n}"),
            cause: format!("{n}{nasty}"),
            hint: Some(format!("{n}{nasty}")),
            known: n % 3 == 0,
        })
        .collect();
    outcome.notes = vec![nasty.clone(); 1000];
    outcome.error = Some(crate::run::Message { text: nasty.clone(), hints: vec![nasty.clone(); 100] });
    (case.source, case.target, case.host) = (nasty.clone(), nasty.clone(), nasty);
    case.log = vec![b'<'; 100_000];
    for status in [Status::Failed, Status::Warning, Status::Stopped, Status::Interrupted, Status::Cancelled] {
        case.run.outcome.status = status;
        let report = rendered(&case);
        well_formed(&report, &HEADERS);
    }
}

#[test]
fn text_keeps_to_its_width() {
    for case in cases::all() {
        for line in rendered(&case).text.lines() {
            let command = line.starts_with("      postkeep run");
            assert!(line.chars().count() <= 76 || command, "{}: {line}", case.name);
        }
    }
}

#[test]
fn a_zone_without_a_whole_hour_and_a_short_day_give_a_date_that_can_be_read() {
    let mut case = Case::new("date", Outcome::new(Status::Ok));
    case.zone = jiff::tz::TimeZone::posix("<-0330>3:30").unwrap();
    case.run.started = "2026-12-03T01:02:03.9Z".parse().unwrap();
    case.run.ended = case.run.started - SignedDuration::from_secs(5);
    let report = rendered(&case);
    assert!(header_block(&report.mail).contains("\nDate: Wed, 02 Dec 2026 21:31:58 -0330\n"));
    assert!(report.text.starts_with("OK after 0 ms: nothing to do."));
}

#[test]
fn a_profile_with_an_unusable_address_is_told_which() {
    let mut case = Case::new("address", Outcome::new(Status::Ok));
    case.rules.to = vec!["nobody".into()];
    let error = render(&case.facts()).unwrap_err();
    assert_eq!(error.one_line(), "cannot use \"nobody\" as a mail address: it is not one address");
}

/// Text as an enemy would write it, and as nobody would.
pub fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ -~]{1,20}",
        proptest::sample::select(vec![
            "=?utf-8?q?x?=",
            "\r\n",
            "\n",
            "Bcc: a@b.c",
            "<script>",
            "-->",
            "]]>",
            "\"",
            "&lt;",
            "\u{202e}",
            "\u{0}",
            "é",
            "🎉",
            "\t",
            "..",
            " ",
            "@",
            "=?",
            "?=",
            "\\",
            "{{ x }}",
            "{%",
            "--=_postkeep-",
            "日本語",
        ])
        .prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_from_outside_changes_the_shape_of_a_letter(
        profile in any_text(), host in any_text(), path in any_text(), cause in any_text(), words in any_text(),
        status in proptest::sample::select(vec![
            Status::Ok, Status::Unchanged, Status::Warning, Status::Failed, Status::Stopped, Status::Cancelled,
            Status::Interrupted,
        ]),
    ) {
        let build = |clean: &dyn Fn(&str) -> String| {
            let mut case = Case::new("any", Outcome::new(status));
            let failure = |known| Failure {
                severity: Severity::Error,
                path: clean(&path),
                cause: clean(&cause),
                hint: Some(clean(&words)),
                known,
            };
            case.run.profile = clean(&profile);
            case.host = clean(&host);
            case.source = clean(&path);
            case.target = clean(&words);
            case.log = clean(&words).into_bytes();
            let outcome = &mut case.run.outcome;
            (outcome.errors, outcome.warnings) = (2, 0);
            outcome.failures = vec![failure(false), failure(true)];
            outcome.notes = vec![clean(&words), clean(&cause)];
            outcome.error = Some(crate::run::Message { text: clean(&cause), hints: vec![clean(&words)] });
            outcome.stop = Some(crate::run::Stop {
                reason: clean(&cause),
                hint: clean(&path),
                token: Some(clean(&words)),
            });
            rendered(&case)
        };
        let hostile = build(&str::to_owned);
        well_formed(&hostile, &HEADERS);
        // The same report about harmless text has exactly as many tags and attributes.
        let harmless = build(&|text| text.replace(['<', '>', '"', '\''], "\u{e000}"));
        for sign in ['<', '>', '"', '\''] {
            prop_assert_eq!(
                hostile.html.matches(sign).count(), harmless.html.matches(sign).count(), "{}", hostile.html
            );
        }
        prop_assert!(!hostile.text.contains(|c: char| c.is_control() && c != '\n'));
    }
}
