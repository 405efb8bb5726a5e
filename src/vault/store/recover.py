#!/usr/bin/env python3
"""Turns the messages of a postkeep vault into a restic repository. Needs nothing but Python 3.6 or later.

    python3 recover.py TARGET SOURCE...

TARGET is a new folder. A SOURCE is a Maildir, a folder of .eml files, an mbox file, or a folder on a mail server:
imaps://USER@SERVER/FOLDER (USER's @ written as %40; it asks for the password). Afterwards: restic -r TARGET snapshots
"""
import base64, email, getpass, hashlib, imaplib, itertools, mailbox, os, re, ssl, sys, urllib.parse

FIELDS = re.compile(r"([a-z]+)/([0-9a-f]{64}); part=([0-9]{1,4})/([0-9]{1,4}); size=([0-9]{1,20});"
                    r" sha256=([0-9a-f]{64})(?:; serial=([0-9]{1,20}))?")
FOLDERS = {"key": "keys", "lock": "locks", "index": "index", "snapshot": "snapshots", "pack": "data", "config": ""}

def folder_name(name):
    """As the server has it: modified UTF-7 (RFC 3501, 5.1.3). What is ASCII may be that already, and stays."""
    if all(ord(letter) < 128 for letter in name):
        return name
    coded = lambda run: base64.b64encode(run[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
    return re.sub("[^\x00-\x7f]+", lambda run: "&" + coded(run) + "-", name.replace("&", "&-"))

def log_in(url):
    # Python does not look at certificates unless it is told to.
    checked = ssl.create_default_context()
    if url.scheme == "imaps":
        server = imaplib.IMAP4_SSL(url.hostname, url.port or 993, ssl_context=checked)
    else:
        server = imaplib.IMAP4(url.hostname, url.port or 143)
        if url.hostname not in ("localhost", "127.0.0.1"):
            server.starttls(checked)
    user, password = urllib.parse.unquote(url.username or ""), getpass.getpass()
    if "AUTH=PLAIN" in server.capabilities:
        server.authenticate("PLAIN", lambda _: ("\0%s\0%s" % (user, password)).encode())
    else:
        server.login(user, password)
    return server

def literals(answer):
    """What a server sent: what stands around it, and its bytes."""
    status, items = answer
    if status != "OK":
        print("the server says", status, items)
        return []
    around = lambda at: items[at] if at < len(items) and isinstance(items[at], bytes) else b""
    return [(item[0] + around(at + 1), item[1]) for at, item in enumerate(items) if isinstance(item, tuple)]

def listed(item):
    """The name in a line of the list of folders (RFC 3501, 7.2.2)."""
    if isinstance(item, tuple):
        return item[1].decode("utf-8", "replace")
    name = re.match(rb'\([^)]*\) (?:"(?:\\.|[^"])*"|NIL) "?((?:\\.|[^"])*)"?$', item or b"")
    return name and re.sub(rb"\\(.)", rb"\1", name[1]).decode("utf-8", "replace")

def from_server(source):
    url = urllib.parse.urlparse(source)
    server = log_in(url)
    name = folder_name(urllib.parse.unquote(url.path[1:])).replace("\\", "\\\\").replace('"', '\\"')
    if server.select('"%s"' % name, readonly=True)[0] != "OK":
        names = filter(None, map(listed, server.list()[1]))
        sys.exit("\n  ".join(["There is no such folder. The folders are:", *names]))
    heads = literals(server.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID X-POSTKEEP-OBJECT)])"))
    whole = lambda uid: (literals(server.uid("FETCH", str(uid), "(BODY.PEEK[])")) or [(b"", b"")])[0][1]
    for uid, head in sorted((int(re.search(rb"UID (\d+)", around)[1]), head) for around, head in heads):
        yield head, lambda uid=uid: whole(uid)

def content_of(path, most=-1):
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        print("cannot be read:", error)
        return b""

def from_disk(source):
    if os.path.isfile(source) and content_of(source, 5) == b"From ":
        box = mailbox.mbox(source, create=False)
        for key in box.keys():
            yield box.get_bytes(key), lambda key=key: box.get_bytes(key)
        return
    files = [os.path.join(folder, name) for folder, _, names in os.walk(source) for name in names]
    for path in sorted(filter(os.path.isfile, files or [source])):
        yield content_of(path, 1 << 16), lambda path=path: content_of(path)

vaults = {}  # vault -> (kind, hash) -> (size, parts) -> part -> ways to get it, the lowest UID first
serials = {}

def take(head, get):
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
        choices = itertools.product(*(ways.get(part, []) for part in range(1, parts + 1)))
        for choice in itertools.islice(choices, 1000):
            bytes_ = b"".join(email.message_from_bytes(get()).get_payload(decode=True) or b"" for get in choice)
            if len(bytes_) == size and hashlib.sha256(bytes_).hexdigest() == wanted:
                return bytes_

def write(base, objects):
    missing = 0
    for folder in FOLDERS.values():
        os.makedirs(os.path.join(base, folder), exist_ok=True)
    # Of the configs the one that counts is written last: the highest serial number, and of two of them the first.
    for (kind, name), cuts in sorted(reversed(list(objects.items())), key=lambda entry: serials[entry[0][1]]):
        found = content(name, cuts)
        if found is None:
            missing += 1
            print("damaged or incomplete:", kind, name)
            continue
        folder = os.path.join(base, FOLDERS[kind], name[:2] if kind == "pack" else "")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config" if kind == "config" else name), "wb") as file:
            file.write(found)
    return missing

def main(target, sources):
    for source in sources:
        for head, get in (from_server if "://" in source else from_disk)(source):
            take(head, get)
    missing = 0
    for vault, objects in vaults.items():
        base = os.path.join(target, vault) if len(vaults) > 1 else target
        damaged = write(base, objects)
        missing += damaged
        print("vault %s: %d objects; now: restic -r %s snapshots" % (vault, len(objects) - damaged, base))
    if not vaults:
        sys.exit("No message of a postkeep vault was found.")
    sys.exit(1 if missing else 0)

if len(sys.argv) < 3:
    sys.exit(__doc__)
if os.path.lexists(sys.argv[1]):
    sys.exit("%s is there already. Name a folder that is not there yet." % sys.argv[1])
try:
    main(sys.argv[1], sys.argv[2:])
except (OSError, imaplib.IMAP4.error) as error:
    hint = ""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        hint = "\nIf the server's certificate is of an authority of your own: SSL_CERT_FILE=ca.pem python3 ..."
    elif "AUTHENTICATIONFAILED" in str(error).upper():
        hint = "\nIs the password right? Many providers want one made for programs, an app password."
    sys.exit("It broke off: %s%s" % (error, hint))
