use std::path::Path;

use super::*;
use crate::profile::{self, Env, FileText, MAIN_FILE};

const PLAIN: &str = "kind = 'sync'\nmode = 'copy'\n";

/// What a main file and one sync need.
fn needs(main: &str, profile: &str) -> Needs {
    needs_of(main, &format!("{PLAIN}{profile}"))
}

/// What a main file and one profile need.
fn needs_of(main: &str, profile: &str) -> Needs {
    let file = |name: &str, text: &str| FileText { file: name.into(), content: Ok(text.as_bytes().to_vec()) };
    let texts = vec![file(MAIN_FILE, main), file("profiles/a.toml", profile)];
    let env = Env { home: Some("/home/ann".into()), cwd: "/".into(), var: &|_| None };
    let loaded = profile::understand(Path::new("/home/ann/.config/postkeep"), texts, &env);
    let said: String = loaded.problems.iter().map(|problem| problem.render(false)).collect();
    assert_eq!(said, "");
    let real = |path: &Path| if path == Path::new("/link") { "/usr/local".into() } else { path.to_owned() };
    Needs::of(&loaded.config, Path::new("/home/ann/.local/state/postkeep"), &real)
}

const HOME: &str = "source = '/home/ann/a'\ntarget = '/mnt/b'\n";

#[test]
fn what_a_configuration_needs() {
    let smtp = |secret: &str| {
        format!("[accounts.m]\nsmtp = {{ host = 'mail.example.org' }}\nuser = 'ann@example.org'\n{secret}\n")
    };
    let sendmail = "[accounts.m]\nsendmail = true\n";
    for (main, profile, words) in [
        ("", HOME.to_owned(), "nothing"),
        (sendmail, HOME.into(), "sendmail"),
        (&smtp("password-command = 'pass x'"), HOME.into(), "programs"),
        (&smtp("password-credential = 'mail'"), HOME.into(), "nothing"),
        ("", format!("{HOME}run-finally = 'true'\n"), "programs"),
        ("", "source = '/a'\ntarget = '/etc/b'\n".into(), "system-folders"),
        ("", "source = '/a'\ntarget = '/link'\n".into(), "system-folders"),
        ("", "source = '/a'\ntarget = '/usrlocal'\n".into(), "nothing"),
        ("", "source = '/'\ntarget = '/mnt/b'\none-file-system = true\n".into(), "system-folders"),
        ("", "source = '/etc/x'\ntarget = '/mnt/b'\n".into(), "nothing"),
        ("[agent]\nstatus-file = '/etc/x'\n", HOME.into(), "system-folders"),
    ] {
        assert_eq!(needs(main, &profile).words(), words, "{main}{profile}");
    }
    let found = needs(&smtp("password-credential = 'mail'"), HOME);
    assert_eq!(found.credentials.iter().collect::<Vec<_>>(), ["mail"]);

    let mailbox =
        "[accounts.m]\nimap = { host = 'mail.example.org' }\nuser = 'ann'\npassword-credential = 'box'\n";
    for (vault, password, words, credentials) in [
        ("'/mnt/v'", "vault-password-file = '/home/ann/p'", "nothing", vec!["box"]),
        ("['/mnt/v', 'imap:m/V']", "vault-password-credential = 'v'", "nothing", vec!["box", "v"]),
        ("'/mnt/v'", "vault-password-command = 'pass v'", "programs", vec!["box"]),
        ("['imap:m/V', '/etc/v']", "vault-keyring = true", "system-folders", vec!["box"]),
        ("'maildir:/usr/v'", "vault-keyring = true", "system-folders", vec!["box"]),
    ] {
        let backup = format!(
            "kind = 'backup'\nsource = ['/home/ann/a', '/home/ann/b']\nvault = {vault}\n{password}\n"
        );
        let found = needs_of(mailbox, &backup);
        assert_eq!(found.words(), words, "{backup}");
        assert_eq!(found.credentials.iter().collect::<Vec<_>>(), credentials, "{backup}");
    }
    let found = needs(&mailbox.replace("imap =", "pop3 ="), HOME);
    assert_eq!(found.credentials.iter().collect::<Vec<_>>(), ["box"]);
    let root = "kind = 'backup'\nsource = ['/home/ann', '/']\nvault = '/mnt/v'\nvault-keyring = true\n";
    assert_eq!(needs_of("", root).words(), "system-folders");

    let found = needs(sendmail, &format!("{HOME}run-finally = 'true'\n"));
    assert_eq!(found.beyond("nothing").len(), 2);
    assert_eq!(found.beyond("sendmail,system-folders").len(), 1);
    assert!(found.beyond("programs").is_empty(), "they run without a sandbox");
}

fn setup(manager: Manager, needs: Needs) -> Setup {
    Setup { manager, program: "/usr/bin/postkeep".into(), config: None, state: None, needs }
}

#[test]
fn a_sandbox_leaves_what_is_needed() {
    let root = || Manager::System("root".into());
    let ann = || Manager::System("ann".into());
    let nothing = Needs::default;
    let sendmail = || Needs { sendmail: true, ..Needs::default() };
    let programs = || Needs { programs: true, ..Needs::default() };
    let folders = || Needs { system_folders: true, ..Needs::default() };
    // Every filter of system calls brings NoNewPrivileges to whoever is not root.
    let filters =
        ["LockPersonality=", "SystemCall", "Restrict", "MemoryDeny", "ProtectKernel", "NoNewPrivileges="];
    for (manager, needs, has, has_not) in [
        (Manager::User, nothing(), vec!["NoNewPrivileges=yes"], vec!["Protect", "Capability", "User="]),
        (Manager::User, sendmail(), vec![], [&filters[..], &["Protect"]].concat()),
        (Manager::User, programs(), vec![], [&filters[..], &["Protect"]].concat()),
        (ann(), nothing(), vec!["NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "User=ann"], vec!["CAP_"]),
        (ann(), sendmail(), vec!["ProtectSystem=full"], filters.to_vec()),
        (ann(), folders(), vec!["NoNewPrivileges=yes"], vec!["ProtectSystem=full"]),
        (root(), nothing(), vec!["NoNewPrivileges=yes", "CAP_SYS_ADMIN", "User=root"], vec!["CAP_SETUID"]),
        (
            root(),
            sendmail(),
            vec!["SystemCallFilter=", "CAP_SETUID"],
            vec!["NoNewPrivileges=yes", "MemoryDeny"],
        ),
        (root(), programs(), vec!["no sandbox"], [&filters[..], &["Protect", "Capability"]].concat()),
    ] {
        for unit in &setup(manager.clone(), needs.clone()).units(true).unwrap()[..2] {
            let lines: String =
                unit.text.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
            let of = format!("{manager:?} {needs:?}:\n{}", unit.text);
            let told = |part: &&str| unit.text.contains(part);
            let said = |part: &&str| {
                lines.lines().any(|line| line.starts_with(part) && !line.starts_with("RestartP"))
            };
            assert!(has.iter().all(told), "{has:?} {of}");
            assert_eq!(has_not.iter().find(|part| said(part)), None, "{of}");
            // What a copy could not do then, whoever runs it.
            for line in
                ["RestrictSUIDSGID", "ProtectHome", "PrivateTmp", "ProtectKernelModules", "ProtectClock"]
            {
                assert!(!lines.contains(line), "{of}");
            }
        }
    }
}

#[test]
fn units_name_the_folders_that_were_given() {
    let mut setup = setup(Manager::User, Needs::default());
    setup.config = Some("/my files/100%".into());
    setup.state = Some("/state".into());
    setup.needs.credentials = ["mail".to_owned()].into();
    let units = setup.units(true).unwrap();
    let call = |verb: &str| {
        format!("ExecStart=/usr/bin/postkeep {verb} --config \"/my files/100%%\" --state /state\n")
    };
    assert!(units[0].text.contains(&call("agent")), "{}", units[0].text);
    assert!(units[1].text.contains(&call("overdue --quiet --mail")), "{}", units[1].text);
    for unit in &units {
        assert!(is_ours(unit.text.as_bytes()));
        assert!(unit.name == OVERDUE_TIMER || unit.text.contains("# LoadCredential=mail:"), "{}", unit.text);
    }
    assert_eq!(setup.units(false).unwrap().len(), 1);
    assert!(!is_ours(b"[Unit]\n# Made by postkeep agent install;"));
}
