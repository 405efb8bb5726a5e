//! The layout of a catalogue, as the ordered list of its changes.

/// The changes, oldest first. A change that was released is never edited: the next one is appended.
///
/// Dates are seconds since 1970, other times microseconds. Figures without sign are stored as the same bits with one.
/// Flags and labels are lines of one text. `message.message_id` is the beginning of a hash: it only has to find again.
pub(super) const MIGRATIONS: &[&str] = &["
    -- The snapshot of the vault that all of this is about, and what a profile leaves out.
    CREATE TABLE archive (one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), snapshot TEXT, rules TEXT) STRICT;
    INSERT INTO archive VALUES (1, NULL, NULL);

    -- directory: where its messages lie in a snapshot. stored, bytes: what is there of it.
    -- The last four: how far it was seen.
    CREATE TABLE folder (
        id INTEGER NOT NULL PRIMARY KEY, account TEXT NOT NULL, path TEXT NOT NULL, directory TEXT NOT NULL UNIQUE,
        stored INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
        validity INTEGER, next INTEGER, messages INTEGER, mod_seq INTEGER
    ) STRICT;

    -- file: its path below the folder's directory.
    CREATE TABLE message (
        id INTEGER NOT NULL PRIMARY KEY, folder INTEGER NOT NULL, date INTEGER NOT NULL, size INTEGER NOT NULL,
        message_id INTEGER, file TEXT NOT NULL, sha256 BLOB NOT NULL, flags TEXT NOT NULL, labels TEXT NOT NULL
    ) STRICT;
    CREATE INDEX message_by_date ON message (date, size);
    CREATE INDEX message_by_id ON message (message_id) WHERE message_id IS NOT NULL;

    -- Several keys may name one message: with another UIDVALIDITY all have new ones.
    CREATE TABLE name (
        folder INTEGER NOT NULL, key TEXT NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (folder, key)
    ) STRICT, WITHOUT ROWID;

    -- What was looked at and is left out by the rules, or is one of ours: it need not be fetched to be known again.
    CREATE TABLE passed (folder INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (folder, key)) STRICT, WITHOUT ROWID;

    CREATE TABLE quarantine (
        folder INTEGER NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, why TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (folder, key)
    ) STRICT, WITHOUT ROWID;
", "
    -- What has no Message-ID is found by its content alone.
    CREATE INDEX message_by_content ON message (sha256) WHERE message_id IS NULL;
", "
    -- When the flags of all its messages were looked at last: seconds since 1970.
    ALTER TABLE folder ADD COLUMN looked INTEGER;
", "
    -- The parts of the vault's index when all of the snapshot was there: their ids, one after the other.
    ALTER TABLE archive ADD COLUMN parts BLOB;
", "
    -- Since when it is not listed any more.
    ALTER TABLE quarantine ADD COLUMN missing INTEGER;
", "
    -- What the source says under this key when the message came: the message may have another date, of its first key.
    ALTER TABLE name ADD COLUMN date INTEGER;
"];
