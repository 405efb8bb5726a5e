//! Cyrus as the second opinion. Its packages do not install beside Dovecot's: `POSTKEEP_TEST_CYRUS` names a folder into
//! which they were unpacked (`dpkg -x`: cyrus-imapd, cyrus-common, and the libraries that they miss).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;

use super::servers::{await_port, free_ports, run};
use super::watch;
use crate::common::left_out;

/// The running server. It takes any password, and makes a mailbox for whoever logs in. Unlike one that nobody set up it
/// writes no X in place of what is not ASCII in headers.
pub struct Cyrus {
    /// IMAP without TLS.
    pub port: u16,
    _watch: Child,
}

/// The server, started at the first call; None where it was not unpacked.
pub fn get() -> Option<&'static Cyrus> {
    static CYRUS: OnceLock<Option<Cyrus>> = OnceLock::new();
    CYRUS
        .get_or_init(|| {
            let Some(packages) = std::env::var_os("POSTKEEP_TEST_CYRUS") else {
                eprintln!("left out: POSTKEEP_TEST_CYRUS names no unpacked Cyrus");
                return None;
            };
            if !rustix::process::geteuid().is_root() {
                left_out("Cyrus: only the superuser can start it as somebody else");
                return None;
            }
            Some(start(Path::new(&packages)))
        })
        .as_ref()
}

fn start(packages: &Path) -> Cyrus {
    let dir = tempfile::Builder::new().prefix("postkeep-cyrus-").tempdir().unwrap().keep();
    let watch = watch(&dir, &["master.pid"]);
    let [port] = free_ports();
    let (home, bin) = (dir.display(), packages.join("usr/lib/cyrus/bin"));
    for folder in ["lib/db", "lib/socket", "lib/log", "spool", "sock", "db", "proc"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let imapd = format!(
        "configdirectory: {home}/lib\npartition-default: {home}/spool\ndefaultpartition: default\n\
         altnamespace: yes\nunixhierarchysep: yes\nallowplaintext: yes\nsasl_mech_list: PLAIN LOGIN\n\
         sasl_pwcheck_method: alwaystrue\nautocreate_quota: 0\nvirtdomains: off\n\
         duplicate_db_path: {home}/db/deliver.db\nstatuscache_db_path: {home}/db/statuscache.db\n\
         proc_path: {home}/proc\nmboxname_lockpath: {home}/lock\nidlesocket: {home}/sock/idle\n\
         notifysocket: {home}/sock/notify\ncyrus_user: nobody\nmaxmessagesize: 36700160\n\
         munge8bit: no\n"
    );
    fs::write(dir.join("imapd.conf"), imapd).unwrap();
    let (bin, config) = (bin.display(), dir.join("imapd.conf"));
    let config = config.display();
    let services = format!(
        "START {{\n recover cmd=\"{bin}/ctl_cyrusdb -C {config} -r\"\n}}\nSERVICES {{\n \
         imap cmd=\"{bin}/imapd -C {config} -U 30\" listen=\"127.0.0.1:{port}\" prefork=1 maxchild=50\n}}\n\
         EVENTS {{\n}}\n"
    );
    fs::write(dir.join("cyrus.conf"), services).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    run(Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&dir));
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/cyrus/lib"];
    let libraries = libraries.map(|folder| packages.join(folder).display().to_string()).join(":");
    let mut master = Command::new("setpriv");
    master.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", &format!("{bin}/master")]);
    master.args(["-d", "-C", &config.to_string(), "-M"]).arg(dir.join("cyrus.conf"));
    master.arg("-p").arg(dir.join("master.pid"));
    run(master.env("LD_LIBRARY_PATH", libraries).env("CYRUS_USER", "nobody"));
    await_port(port, || "Cyrus does not answer".to_owned());
    Cyrus { port, _watch: watch }
}
