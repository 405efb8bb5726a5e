//! Whole conversations.

use super::*;
use crate::profile::Preset;

/// What a conversation comes to, in a home with the folders Documents and disk; and what was seen.
fn talk(args: InitArgs, there: &[(&str, &str)], input: &str) -> (Result<Answers>, String) {
    let home = tempfile::tempdir().unwrap();
    for folder in ["Documents", "disk", "here"] {
        std::fs::create_dir(home.path().join(folder)).unwrap();
    }
    let ctx = Context {
        config_dir: home.path().join("config"),
        state_dir: home.path().join("state"),
        json: false,
        quiet: false,
    };
    let env = Env { home: Some(home.path().into()), cwd: home.path().join("here"), var: &|_| None };
    let there: Vec<_> = there
        .iter()
        .map(|(file, text)| FileText { file: file.into(), content: Ok(text.as_bytes().to_vec()) })
        .collect();
    let mut output = Vec::new();
    let mut asker = Asker::new(input.as_bytes(), &mut output, false, args.yes);
    let answers = answers(&args, &ctx, &there, &env, &mut asker).map(|(answers, _)| answers);
    (answers, String::from_utf8(output).unwrap().replace(home.path().to_str().unwrap(), "HOME"))
}

fn args() -> InitArgs {
    InitArgs {
        source: None,
        target: None,
        mode: None,
        name: None,
        schedule: None,
        carrier: CarrierArgs::default(),
        yes: false,
    }
}

fn expected(name: &str) -> Answers {
    Answers {
        name: name.into(),
        source: "~/Documents".into(),
        target: "~/disk/x".into(),
        mode: Mode::Mirror,
        when: When::ByHand,
        carrier: Carrier::Embedded,
    }
}

#[test]
fn five_questions_make_a_profile_and_seven_at_most_one_with_mail() {
    let (answers, seen) = talk(args(), &[], "\n~/disk/x\ncopy\n\n~/Mail\n");
    let wanted =
        Answers { mode: Mode::Copy, carrier: Carrier::Maildir("~/Mail".into()), ..expected("documents") };
    assert_eq!(answers.unwrap(), wanted);
    assert_eq!(seen.matches("\n> ").count(), 5);
    assert!(seen.contains("Which folder shall be copied? [~/Documents]"), "{seen}");

    let (answers, seen) = talk(args(), &[], "\n~/disk/x\n\n\nann@example.org\nmx.example.org:587\ns3cret\n");
    let Carrier::Mail(mail) = answers.unwrap().carrier else { panic!("{seen}") };
    assert_eq!((mail.preset, mail.server), (None, Some(("mx.example.org".into(), 587))));
    assert!(mail.secret.0 == "password-file" && mail.secret.1.ends_with("config/mail.secret"));
    assert_eq!(seen.matches("\n> ").count(), 7);
    assert!(!seen.contains("s3cret"), "{seen}");

    let (answers, seen) = talk(args(), &[], "\n~/disk/x\n\n\nann@gmail.com\n!pass show x\n");
    let Carrier::Mail(mail) = answers.unwrap().carrier else { panic!("{seen}") };
    assert_eq!((mail.preset, mail.secret), (Some(Preset::Gmail), ("password-command", "pass show x".into())));
    assert!(seen.contains("https://myaccount.google.com/apppasswords"), "{seen}");

    let (answers, _) = talk(args(), &[], "\n~/disk/x\n\n\nann@hotmail.com\noama access ann\n");
    let Carrier::Mail(mail) = answers.unwrap().carrier else { panic!() };
    assert_eq!(mail.secret, ("token-command", "oama access ann".into()));
}

#[test]
fn when_it_runs_is_a_cron_line_or_a_duration() {
    for (answer, when) in [
        ("", When::ByHand),
        ("@daily", When::Schedule("@daily".into())),
        ("30 12 * * Mon-Fri", When::Schedule("30 12 * * Mon-Fri".into())),
        (" 6h ", When::Every("6h".into())),
    ] {
        let (answers, seen) = talk(args(), &[], &format!("\n~/disk/x\n\n{answer}\n~/Mail\n"));
        assert_eq!(answers.map(|answers| answers.when).ok(), Some(when), "{seen}");
    }
    for (wrong, said) in [("6 h", "fields"), ("6x", "no duration"), ("@dayly", "@dayly")] {
        let args = InitArgs { schedule: Some(wrong.into()), ..args() };
        let error = talk(args, &[], "\n~/disk/x\n\n").0.unwrap_err();
        assert!(error.one_line().contains(said), "{error:?}");
    }
}

#[test]
fn the_end_of_the_input_takes_the_defaults_where_there_are_any() {
    assert_eq!(talk(args(), &[], "\n~/disk/x").0.unwrap(), expected("documents"));
    let error = talk(args(), &[], "").0.unwrap_err();
    assert_eq!(error.hints(), ["give it as --target ..."]);
}

#[test]
fn flags_answer_and_what_is_there_stays() {
    let given = || InitArgs { target: Some("~/disk/x".into()), yes: true, ..args() };
    let there = [("postkeep.toml", ""), ("profiles/documents.toml", "")];
    let (answers, seen) = talk(given(), &there, "");
    assert_eq!((answers.unwrap(), seen.as_str()), (expected("documents-2"), ""));
    let taken = InitArgs { name: Some("documents".into()), ..given() };
    assert!(talk(taken, &there, "").0.unwrap_err().to_string().contains("is there already"));
    let carrier = CarrierArgs { reports: Some("~/Mail".into()), ..CarrierArgs::default() };
    let reports = InitArgs { carrier, ..given() };
    assert!(talk(reports, &there, "").0.is_err());
    let broken = talk(given(), &[("postkeep.toml", "x = 1")], "").0.unwrap_err();
    assert!(broken.to_string().starts_with("postkeep.toml has errors"), "{broken}");
}

#[test]
fn answers_are_checked_like_files() {
    for (target, part) in [
        ("~/Documents/x", "lies inside the source"),
        ("$NOWHERE/x", "is not set"),
        ("nas:/x", "is no folder of this machine"),
        ("~/state/x", "lies inside postkeep's state folder"),
    ] {
        let given = InitArgs { target: Some(target.into()), yes: true, ..args() };
        let error = talk(given, &[], "").0.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let unmounted = InitArgs { target: Some("~/usb/x".into()), yes: true, ..args() };
    let (answers, seen) = talk(unmounted, &[], "");
    assert!(answers.is_ok() && seen.contains("(is its disk mounted?)"), "{seen}");
}

#[test]
fn a_relative_path_is_relative_to_where_one_is() {
    let env = Env { home: None, cwd: "/a/$b".into(), var: &|_| None };
    for (text, written) in [("x", "/a/$$b/x"), ("../x", "/a/$$b/../x"), ("/x", "/x")] {
        assert_eq!(anchored(text, &env).ok().as_deref(), Some(written));
    }
    assert!(anchored("nas:x", &env).is_err() && anchored("~", &env).is_err());
}

#[test]
fn names_come_from_the_source() {
    let free = |name: &str| !["photos", "photos-2"].contains(&name);
    for (source, name) in [
        ("~/My Fotos/", "my-fotos"),
        ("/srv/photos", "photos-3"),
        ("~", "first"),
        ("/", "first"),
        ("/x/.Été_2024", "t-2024"),
    ] {
        assert_eq!(suggested_name(source, &free), name, "{source}");
    }
    assert!(is_name(&suggested_name(&"x".repeat(500), &free)));
}
