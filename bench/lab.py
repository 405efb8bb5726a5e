"""What the comparisons with a mail server share: a Dovecot of their own, and a proxy that delays and counts."""
import os, pwd, queue, socket, subprocess, sys, threading, time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_dovecot(work, mail_location="sdbox:~/mail", plugins=""):
    """Starts a server below the folder `work` and says on which port it listens. ann's password is `measured`."""
    port = free_port()
    root = os.geteuid() == 0
    owner = subprocess.run(["id", "-u"] + ["mail"] * root, capture_output=True, text=True).stdout.strip()
    name = pwd.getpwuid(os.geteuid()).pw_name
    users = "" if root else f"default_internal_user = {name}\ndefault_login_user = {name}\n"
    os.makedirs(f"{work}/dovecot/mail")
    os.chown(f"{work}/dovecot/mail", int(owner), -1)
    with open(f"{work}/dovecot/passwd", "w") as out:
        out.write("ann:{PLAIN}measured::::::\n")
    with open(f"{work}/dovecot/dovecot.conf", "w") as out:
        out.write(f"""protocols = imap
listen = 127.0.0.1
base_dir = {work}/dovecot/run
state_dir = {work}/dovecot/state
log_path = {work}/dovecot.log
{users}ssl = no
disable_plaintext_auth = no
mail_location = {mail_location}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 100
default_vsz_limit = 1G
protocol imap {{
  mail_plugins = {plugins}
}}
passdb {{
  driver = passwd-file
  args = username_format=%n {work}/dovecot/passwd
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={work}/dovecot/mail/%n
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
""")
    subprocess.run(["/usr/sbin/dovecot", "-c", f"{work}/dovecot/dovecot.conf"], check=True)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return port
        except OSError:
            time.sleep(0.1)
    sys.exit(open(f"{work}/dovecot.log").read())


class Proxy:
    """Delays each direction by half of the round trip time, and counts."""

    def __init__(self, port, milliseconds):
        self.up = self.down = 0
        self.delay = milliseconds / 2000
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.target))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pipe, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pipe, args=(server, client, False), daemon=True).start()

    def pipe(self, source, target, up):
        waiting = queue.Queue(4096)

        def send():
            while True:
                at, data = waiting.get()
                time.sleep(max(0, at - time.monotonic()))
                try:
                    target.sendall(data) if data else target.shutdown(socket.SHUT_WR)
                except OSError:
                    return
                if not data:
                    return

        threading.Thread(target=send, daemon=True).start()
        while True:
            try:
                data = source.recv(1 << 18)
            except OSError:
                data = b""
            if up:
                self.up += len(data)
            else:
                self.down += len(data)
            waiting.put((time.monotonic() + self.delay, data))
            if not data:
                return


def stop_dovecot(work):
    """Ends the server below `work`, if one was started."""
    try:
        subprocess.run(["kill", open(f"{work}/dovecot/run/master.pid").read().strip()])
        time.sleep(0.5)
    except OSError:
        pass
