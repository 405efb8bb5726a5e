#!/usr/bin/env python3
"""Turns the messages of a postkeep vault into a restic repository. Needs nothing but Python 3.6 or later.

    python3 recover.py TARGET SOURCE...

TARGET is a new folder. A SOURCE is a Maildir, a folder of .eml files, an mbox file, or a folder on a mail server:
imaps://USER@SERVER/FOLDER (USER's @ written as %40; it asks for the password). Afterwards: restic -r TARGET snapshots
"""
import email, getpass, hashlib, imaplib, itertools, mailbox, os, re, sys, urllib.parse

FIELDS = re.compile(r"(\w+)/([0-9a-f]{64}); part=(\d+)/(\d+); size=(\d+); sha256=([0-9a-f]{64})(?:; serial=(\d+))?")
FOLDERS = {"key": "keys", "lock": "locks", "index": "index", "snapshot": "snapshots", "pack": "data", "config": ""}

def from_server(source):
    url = urllib.parse.urlparse(source)
    secure = url.scheme == "imaps"
    server = (imaplib.IMAP4_SSL if secure else imaplib.IMAP4)(url.hostname, url.port or (993 if secure else 143))
    if not secure and url.hostname not in ("localhost", "127.0.0.1"):
        server.starttls()
    server.login(urllib.parse.unquote(url.username), getpass.getpass())
    if server.select('"%s"' % urllib.parse.unquote(url.path[1:]), readonly=True)[0] != "OK":
        sys.exit("There is no such folder. The folders are:\n" + "\n".join(map(repr, server.list()[1])))
    items = server.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID X-POSTKEEP-OBJECT)])")[1]
    heads = [(item[0] + items[at + 1], item[1]) for at, item in enumerate(items) if isinstance(item, tuple)]
    for uid, head in sorted((int(re.search(rb"UID (\d+)", around)[1]), head) for around, head in heads):
        yield head, lambda uid=uid: server.uid("FETCH", str(uid), "(BODY.PEEK[])")[1][0][1]

def from_disk(source):
    if os.path.isfile(source):
        for message in mailbox.mbox(source):
            yield message.as_bytes(), lambda message=message: message.as_bytes()
        return
    for path in sorted(os.path.join(folder, name) for folder, _, names in os.walk(source) for name in names):
        with open(path, "rb") as file:
            yield file.read(1 << 16), lambda path=path: open(path, "rb").read()

vaults = {}  # vault -> (kind, hash) -> (size, parts) -> part -> ways to get it, the lowest UID first
serials = {}
target, sources = sys.argv[1], sys.argv[2:]
for source in sources:
    for head, get in (from_server if "://" in source else from_disk)(source):
        head = email.message_from_bytes(head)
        fields = FIELDS.match(" ".join(str(head.get("X-Postkeep-Object", "")).split()))
        vault = re.search(r"<(.*)@([0-9a-f]{16})\.postkeep\.invalid>", str(head.get("Message-ID", "")))
        if fields and vault and fields[1] in FOLDERS and vault[1] == "%s.%s.%sof%s" % fields.group(1, 2, 3, 4):
            objects = vaults.setdefault(vault[2], {})
            ways = objects.setdefault(fields.group(1, 2), {}).setdefault((int(fields[5]), int(fields[4])), {})
            ways.setdefault(int(fields[3]), []).append(get)
            serials[fields[2]] = max(int(fields[7] or 0), serials.get(fields[2], 0))

def content(wanted, cuts):
    for (size, parts), ways in cuts.items():
        for choice in itertools.product(*(ways.get(part, []) for part in range(1, parts + 1))):
            bytes_ = b"".join(email.message_from_bytes(get()).get_payload(decode=True) or b"" for get in choice)
            if len(bytes_) == size and hashlib.sha256(bytes_).hexdigest() == wanted:
                return bytes_

missing = 0
for vault, objects in vaults.items():
    base = os.path.join(target, vault) if len(vaults) > 1 else target
    os.makedirs(base)
    for kind in FOLDERS.values():
        os.makedirs(os.path.join(base, kind), exist_ok=True)
    # The config with the highest serial number is written last: it is the one that counts.
    for (kind, name), cuts in sorted(objects.items(), key=lambda entry: serials[entry[0][1]]):
        found = content(name, cuts)
        if found is None:
            missing += 1
            print("damaged or incomplete:", kind, name)
            continue
        folder = os.path.join(base, FOLDERS[kind], name[:2] if kind == "pack" else "")
        path = os.path.join(folder, "config" if kind == "config" else name)
        os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as file:
            file.write(found)
    print("vault %s: %d objects; now: restic -r %s snapshots" % (vault, len(objects), base))
if not vaults:
    sys.exit("No message of a postkeep vault was found.")
sys.exit(1 if missing else 0)
