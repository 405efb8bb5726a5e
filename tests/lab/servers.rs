//! Starts Dovecot and Postfix with everything in one folder.

use std::fs;
use std::io::Seek;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::PASSWORD;

pub struct Ports {
    pub implicit: u16,
    pub starttls: u16,
    pub relay: u16,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
}

/// Whether Dovecot has POP3.
pub fn has_pop3() -> bool {
    Path::new("/usr/lib/dovecot/pop3").exists()
}

pub fn start(dir: &Path) -> Ports {
    let [implicit, starttls, relay, imap, imaps, pop3, pop3s, lmtp, auth] = free_ports();
    dovecot(dir, [imap, imaps], [pop3, pop3s], lmtp, auth);
    postfix(dir, implicit, starttls, relay, lmtp, auth);
    let all = [implicit, starttls, relay, imap, imaps, lmtp].into_iter();
    for port in all.chain([pop3, pop3s].into_iter().filter(|_| has_pop3())) {
        await_port(port, || logs(dir));
    }
    Ports { implicit, starttls, relay, imap, imaps, pop3, pop3s }
}

/// Waits until somebody listens on a port.
pub fn await_port(port: u16, why: impl Fn() -> String) {
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nothing listens on port {port}: {}", why());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn logs(dir: &Path) -> String {
    ["postfix.log", "dovecot.log"].map(|log| fs::read_to_string(dir.join(log)).unwrap_or_default()).join("\n")
}

/// Ports that nobody listens on, held together so that they differ.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Runs a command that leaves servers behind: they must not hold a pipe of ours open.
pub fn run(command: &mut Command) {
    let said = tempfile::tempfile().unwrap();
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said.try_clone().unwrap());
    let status = command.status().unwrap();
    let mut said = said;
    said.rewind().unwrap();
    let said = std::io::read_to_string(said).unwrap();
    assert!(status.success(), "{command:?}: {said}");
}

fn id_of(user: &str) -> String {
    let output = Command::new("id").args(["-u", user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn dovecot(dir: &Path, [imap, imaps]: [u16; 2], pop3: [u16; 2], lmtp: u16, auth: u16) {
    let home = dir.join("dovecot");
    fs::create_dir_all(home.join("mail")).unwrap();
    // No process that handles mail may be root's.
    let mail = id_of("mail");
    run(Command::new("chown").arg(&mail).arg(home.join("mail")));
    let password = PASSWORD.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    fs::write(home.join("users"), "").unwrap();
    let dir = dir.display();
    let (protocol, pop3) = if has_pop3() { ("pop3", pop3_login(pop3)) } else { ("", String::new()) };
    let text = format!(
        r#"
protocols = imap lmtp {protocol}
listen = 127.0.0.1
base_dir = {dir}/dovecot/run
state_dir = {dir}/dovecot/state
log_path = {dir}/dovecot.log
ssl = yes
ssl_cert = <{dir}/server.pem
ssl_key = <{dir}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 50
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=48M
}}
protocol imap {{
  mail_plugins = quota imap_quota
}}
default_process_limit = 50
default_client_limit = 200
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {dir}/dovecot/passwd
  default_fields = uid={mail} gid={mail} home={dir}/dovecot/mail/%n
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
{pop3}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service anvil {{
  chroot =
  # Refused logins of one test do not slow down the logins of all others, which have the same address.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"#
    );
    // static's args are split at spaces; a password with some comes from a file.
    let text = text.replace(
        &format!("  driver = static\n  args = password={password}\n"),
        &format!("  driver = passwd-file\n  args = username_format=%n {dir}/dovecot/passwd\n"),
    );
    let others = ["ann", "bob", "carl", "dora", "emil"].map(str::to_owned);
    let users = (0..70).map(|n| format!("user{n}")).chain(others);
    // Vaults are kept with the users of the twenties, and archives are made of what those of the fifties and sixties have.
    let roomy =
        |user: &str| user.len() == 6 && ["user2", "user5", "user6"].iter().any(|tens| user.starts_with(tens));
    let room = |user: &str| if roomy(user) { "userdb_quota_rule=*:storage=2G" } else { "" };
    let lines: String =
        users.map(|user| format!("{user}:{{PLAIN}}{PASSWORD}::::::{}\n", room(&user))).collect();
    fs::write(home.join("passwd"), lines).unwrap();
    fs::write(home.join("dovecot.conf"), text).unwrap();
    run(Command::new("/usr/sbin/dovecot").arg("-c").arg(home.join("dovecot.conf")));
}

fn pop3_login([pop3, pop3s]: [u16; 2]) -> String {
    format!(
        r"
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"
    )
}

fn postfix(dir: &Path, implicit: u16, starttls: u16, relay: u16, lmtp: u16, auth: u16) {
    let home = dir.join("postfix");
    fs::create_dir_all(home.join("etc")).unwrap();
    fs::create_dir_all(home.join("data")).unwrap();
    run(Command::new("chown").arg("postfix").arg(home.join("data")));
    let dir = dir.display();
    let main = format!(
        r"
compatibility_level = 3.6
config_directory = {dir}/postfix/etc
queue_directory = {dir}/postfix
data_directory = {dir}/postfix/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = localhost
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
virtual_alias_maps =
alias_maps =
alias_database =
default_transport = error:no outside mail
message_size_limit = 2000000
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
smtpd_peername_lookup = no
smtpd_tls_cert_file = {dir}/server.pem
smtpd_tls_key_file = {dir}/server.key
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_relay_restrictions = permit_mynetworks,reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{refused@localhost = 550 5.1.1 no such user here}}, {{later@localhost = 450 4.2.1 come back}} }}, permit
local_recipient_maps =
"
    );
    fs::write(home.join("etc/main.cf"), main).unwrap();
    let login = "-o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject";
    let master = format!(
        r"
127.0.0.1:{relay} inet n - n - - smtpd
127.0.0.1:{starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {login}
127.0.0.1:{implicit} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {login}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
    );
    fs::write(home.join("etc/master.cf"), master).unwrap();
    run(Command::new("/usr/sbin/postfix").arg("-c").arg(home.join("etc")).arg("start"));
}
