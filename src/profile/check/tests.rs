//! The checks, as sentences.

use super::super::load::tests::files;
use super::*;

/// What the check says about a `[report]` table, with three accounts beside it.
fn of_report(report: &str) -> String {
    let main = "[accounts.mail]\npreset = 'gmail'\nuser = 'me@gmail.com'\npassword-env = 'X'\n\
                [accounts.relay]\nsmtp = { host = 'localhost', port = 25 }\n[accounts.local]\nmaildir = '/m'\n";
    let main = format!("{main}[report]\n{report}\n");
    let profile = "kind = 'sync'\nsource = '/data'\ntarget = '/mnt'\nmode = 'copy'\n";
    let loaded = files(&[("postkeep.toml", &main), ("a", profile)]);
    let mut problems = loaded.problems.clone();
    problems.extend(check(&loaded, Path::new("/state"), &|path| Seen::Folder(path.to_owned())));
    problems.iter().map(|problem| format!("{:?} {}", problem.severity, problem.message)).collect()
}

#[test]
fn a_report_has_a_reader_a_sender_and_ways_that_lead_somewhere() {
    for (report, said) in [
        ("account = 'mail'", ""),
        ("account = 'mail'\nfallback = ['local', 'webhook']\nwebhook = 'https://x.example/'", ""),
        ("account = 'local'", ""),
        ("account = 'relay'\nto = 'a@example.org'\nfrom = 'b@example.org'", ""),
        ("account = 'relay'\nto = 'a@example.org'", "Warning the report would come from postkeep@HOST"),
        ("account = 'relay'\nfrom = 'b@example.org'", "Error the report is to be mailed, but to nobody"),
        ("account = 'mail'\nfallback = 'mail'", "Error the account \"mail\" cannot stand in for itself"),
        ("account = 'mail'\nfallback = 'webhook'", "Error fallback names the webhook, but there is none"),
        ("account = 'mail'\nfallback = 'othr'", "Error there is no account \"othr\""),
        ("account = 'mail'\nfallback = 'imap-append'", ""),
        (
            "account = 'relay'\nto = 'a@example.org'\nfrom = 'b@example.org'\nfallback = 'imap-append'",
            "Error fallback names \"imap-append\", but the account \"relay\" has no mailbox",
        ),
        (
            "fallback = 'imap-append'",
            "Error fallback names \"imap-append\", but the reports go to no account",
        ),
        (
            "account = 'mail'\nwebhook = 'http://x.example/'",
            "Error to another machine this goes only over https",
        ),
    ] {
        let found = of_report(report);
        assert!(found.starts_with(said) && found.is_empty() == said.is_empty(), "{report}: {found}");
    }
}

#[test]
fn when_it_runs_is_said_once_and_only_where_it_matters() {
    let sides = "source = '/data'\ntarget = '/mnt'\n";
    for (keys, said) in [
        ("schedule = '@daily'\ngrace = '1h'", ""),
        ("on-change = true", ""),
        ("schedule = '@daily'\nevery = '1h'", "two ways to say when it runs"),
        ("every = '10s'", "less than a minute"),
        ("grace = '1h'", "grace says nothing about a profile that only runs by hand"),
        ("only-if = { online = true }", "only-if.online says nothing"),
    ] {
        let found = found(&format!("{sides}{keys}\n"));
        assert!(found.contains(said) && found.is_empty() == said.is_empty(), "{keys}: {found}");
    }
}

/// The problems that the check finds where these folders exist; `/link` is another name of `/data`, `/file` is a
/// file. `text` is one profile's keys beside kind; several profiles are parted by `---`.
fn found(text: &str) -> String {
    let texts: Vec<_> =
        text.split("---").map(|text| format!("kind = 'sync'\nmode = 'mirror'\n{text}")).collect();
    let names = ["a", "b", "c"];
    let loaded =
        files(&names.iter().zip(&texts).map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>());
    assert_eq!(loaded.problems, []);
    let look = |path: &Path| {
        let path = match path.strip_prefix("/link") {
            Ok(rest) if rest.as_os_str().is_empty() => "/data".into(),
            Ok(rest) => Path::new("/data").join(rest),
            Err(_) => path.to_owned(),
        };
        match path.to_str() {
            Some("/" | "/data" | "/data/deep" | "/mnt" | "/state" | "/etc" | "/etc/postkeep") => {
                Seen::Folder(path)
            }
            Some("/file") => Seen::Other(path),
            Some("/secret") => Seen::Unknown,
            _ => Seen::Missing,
        }
    };
    let problems = check(&loaded, Path::new("/state"), &look);
    let lines = problems.iter().map(|problem| {
        let place = problem.place.as_ref().map_or(0, |place| place.line);
        let concerned = problem.profiles.clone().unwrap_or_default().join("+");
        format!("{concerned}:{place} {:?} {}", problem.severity, problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sound_profiles_have_no_problems() {
    for text in [
        "source = '/data'\ntarget = '/mnt/data'",
        "source = '/data'\ntarget = '/mnt'\ncreate-target = false",
        "source = '/data'\ntarget = '/database'",
        "source = '/secret'\ntarget = '/mnt/x'",
        "source = '/data'\ntarget = '/mnt/a'\n---\nsource = '/data'\ntarget = '/mnt/ab'",
        "source = '/data'\ntarget = '/data/backup'\nexclude = '/backup'",
        "source = '/data'\ntarget = '/data/deep/er'\nexclude = 'deep/'",
        "source = '/data'\ntarget = '/mnt'\nexclude = ['*', '!*.jpg']",
    ] {
        assert_eq!(found(text), "", "{text}");
    }
}

#[test]
fn what_cannot_go_well_is_told_with_its_place() {
    for (text, problem) in [
        ("source = '/data'\ntarget = '/data'", "a:4 Error source and target are the same folder, /data"),
        ("source = '/data'\ntarget = '/link'", "a:4 Error source and target are the same folder, /data"),
        ("source = '/data'\ntarget = '/data/new'", "a:4 Error the target /data/new lies inside the source"),
        ("source = '/data'\ntarget = '/link/new'", "a:4 Error the target /link/new lies inside the source"),
        (
            "source = '/data'\ntarget = '/data/backup'\nexclude = ['/backup', '!/backup']",
            "a:4 Error the target /data/backup lies inside the source",
        ),
        ("source = '/data/deep'\ntarget = '/link'", "a:4 Error the source /data/deep lies inside the target"),
        (
            "source = '/data'\ntarget = '/state'",
            "a:4 Error the target lies inside postkeep's state folder, /state",
        ),
        (
            "source = '/data'\ntarget = '/etc/postkeep/x'",
            "a:4 Error the target lies inside postkeep's configuration folder, /etc/postkeep",
        ),
        (
            "source = '/data'\ntarget = '/etc'",
            "a:4 Error postkeep's configuration folder, /etc/postkeep, lies inside the target of a mirror",
        ),
        ("source = '/none'\ntarget = '/mnt'", "a:3 Warning the source /none does not exist now"),
        ("source = '/file'\ntarget = '/mnt'", "a:3 Warning the source /file is not a folder"),
        ("source = '/data'\ntarget = '/file'", "a:4 Warning the target /file is not a folder"),
        (
            "source = '/data'\ntarget = '/usb/x'",
            "a:4 Warning neither the target /usb/x nor the folder that it would be made in exists now",
        ),
        (
            "source = '/data'\ntarget = '/mnt/x'\ncreate-target = false",
            "a:4 Warning the target /mnt/x does not exist now",
        ),
        (
            "source = '/data'\ntarget = '/mnt'\nexclude = ['!x', '**']",
            "a:5 Warning the pattern \"**\" leaves out everything",
        ),
        (
            "source = '/data'\ntarget = '/mnt'\nexclude-smaller-than = 2\nexclude-larger-than = 1",
            "a:5 Warning exclude-smaller-than is more than exclude-larger-than, so files of every size are left out",
        ),
        (
            "source = '/data'\ntarget = '/mnt'\nexclude-newer-than = '2d'\nexclude-older-than = '1d'",
            "a:5 Warning exclude-newer-than is not less than exclude-older-than, so files of every age are left out",
        ),
        (
            "source = '/data'\ntarget = '/mnt/x'\n---\nsource = '/data'\ntarget = '/mnt/./x/'",
            "b+a:5 Error the target /mnt/x is written by the profile \"a\" too",
        ),
        (
            "source = '/data'\ntarget = '/mnt/x'\n---\nsource = '/data'\ntarget = '/mnt'",
            "a+b:4 Error the target /mnt/x lies in the target of the profile \"b\" too",
        ),
    ] {
        assert_eq!(found(text), problem, "{text}");
    }
}
