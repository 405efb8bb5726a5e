"""Made-up mail for the comparisons: the same messages for the same seed, and a quick way to put them on a server."""
import base64, datetime, math, random, socket

FOLDERS = {"INBOX": 40, "Archive": 20, "Sent": 12, "Lists": 12, "Work": 8, "Family": 5, "Bills": 3}
LARGEST = 5_000_000


class Letters:
    """A stream of messages: (folder, internal date, bytes). Median 8 kB, one in a hundred over 300 kB, the largest 5 MB."""

    def __init__(self, seed=1):
        self.chance = random.Random(seed)
        self.number = 0
        letters = "aabcdeeefghiijklmnoopqrstuuvwxyz"
        self.words = ["".join(self.chance.choices(letters, k=self.chance.randint(2, 11))) for _ in range(4_000)]
        self.people = [f"{first}.{last}@example.{top}" for top in ("org", "net") for first in self.words[:15] for last in self.words[15:23]]

    def text(self, size):
        """Lines of words, `size` bytes or a little more."""
        lines = []
        while size > 0:
            lines.append(" ".join(self.chance.choices(self.words, k=12)))
            size -= len(lines[-1]) + 2
        return "\r\n".join(lines).encode() + b"\r\n"

    def head(self, kind):
        self.number += 1
        chance, at = self.chance, self.number
        sender, reader = chance.choice(self.people), chance.choice(self.people)
        # A hundred a day, so a million are 27 years.
        date = datetime.datetime(1999, 1, 1) + datetime.timedelta(seconds=864 * at)
        date = date.strftime("%d %b %Y %H:%M:%S +0000").lstrip("0")
        signature = base64.b64encode(chance.randbytes(256)).decode()
        signature = "\r\n ".join(signature[start : start + 72] for start in range(0, len(signature), 72))
        return date.replace(" ", "-", 2), (
            f"Return-Path: <{sender}>\r\n"
            f"Received: from mail.{sender.split('@')[1]} (mail.{sender.split('@')[1]} [192.0.2.{at % 250}])\r\n"
            f"\tby mx.example.org (Postfix) with ESMTPS id {at:011X}\r\n\tfor <{reader}>; {date}\r\n"
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={sender.split('@')[1]}; s=2020;\r\n b={signature}\r\n"
            f"From: {sender.split('.')[0].title()} <{sender}>\r\nTo: {reader}\r\n"
            f"Subject: {' '.join(chance.choices(self.words, k=5))}\r\nDate: {date}\r\n"
            f"Message-ID: <{at}.{chance.getrandbits(64):016x}@{sender.split('@')[1]}>\r\n"
            f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n"
        ).encode()

    def tiny(self):
        """A message of about 1 kB."""
        date, head = self.head("text/plain; charset=utf-8")
        return "INBOX", date, head + b"\r\n" + self.text(80)

    def one(self):
        """A message of any size; those above 40 kB, and a third of those above 8 kB, have an attachment."""
        chance = self.chance
        size = min(LARGEST, chance.lognormvariate(math.log(8_000), 1.54))
        if self.number % 10_000 == 5_000:
            size = LARGEST
        folder = chance.choices(list(FOLDERS), weights=FOLDERS.values())[0]
        if size < 40_000 and (size < 8_000 or chance.random() < 0.67):
            date, head = self.head("text/plain; charset=utf-8")
            return folder, date, head + b"\r\n" + self.text(size - len(head))
        mark = f"=_{chance.getrandbits(64):016x}"
        date, head = self.head(f'multipart/mixed; boundary="{mark}"')
        text = self.text(min(size / 5, 6_000))
        bulk = base64.encodebytes(chance.randbytes(int((size - len(head) - len(text) - 400) / 1.37))).replace(b"\n", b"\r\n")
        line = f"--{mark}\r\n".encode()
        return folder, date, b"".join([
            head, b"\r\n", line, b"Content-Type: text/plain; charset=utf-8\r\n\r\n", text, line,
            f'Content-Type: application/pdf; name="{chance.choice(self.words)}.pdf"\r\n'.encode(),
            b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n", bulk, f"--{mark}--\r\n".encode(),
        ])


class Mailbox:
    """ann's mailbox from outside: puts messages there and takes them away again, and knows their sizes."""

    def __init__(self, port):
        self.conn = socket.create_connection(("127.0.0.1", port))
        self.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.conn.makefile("rb")
        self.lines.readline()
        self.sizes = {}
        self.ask(b"LOGIN ann measured")

    def ask(self, command, *more):
        self.conn.sendall(b"t " + command)
        for piece in more:
            self.conn.sendall(piece)
        self.conn.sendall(b"\r\n")
        while not (line := self.lines.readline()).startswith(b"t "):
            if not line:
                raise SystemExit(f"the server hung up at {command[:60]}")
        if not line.startswith(b"t OK"):
            raise SystemExit(f"{command[:60]}: {line}")

    def fill(self, letters):
        """Appends, many at once."""
        waiting, held = {}, 0
        for folder, date, message in letters:
            if folder not in self.sizes:
                self.sizes[folder] = []
                if folder != "INBOX":
                    self.ask(b"CREATE " + folder.encode())
            self.sizes[folder].append(len(message))
            pieces = waiting.setdefault(folder, [])
            pieces += [b' (\\Seen) "%s" {%d+}\r\n' % (date.rjust(26).encode(), len(message)), message]
            held += len(message)
            if len(pieces) >= 400 or held > 8_000_000:
                for folder, pieces in waiting.items():
                    self.ask(b"APPEND " + folder.encode(), *pieces)
                waiting, held = {}, 0
        for folder, pieces in waiting.items():
            self.ask(b"APPEND " + folder.encode(), *pieces)

    def cut(self, sizes):
        """Removes what came after the folders had these sizes."""
        for folder, kept in sizes.items():
            if len(kept) < len(self.sizes[folder]):
                self.ask(b"SELECT " + folder.encode())
                self.ask(b"STORE %d:* +FLAGS.SILENT (\\Deleted)" % (len(kept) + 1))
                self.ask(b"EXPUNGE")
                self.ask(b"CLOSE")
        self.sizes = {folder: list(kept) for folder, kept in sizes.items()}
