-- The table of sqlstore for SQLite 3.37 and later. Store.Migrate creates it; or
-- copy this file to your own migrations, under any table name.
CREATE TABLE IF NOT EXISTS regrant_grants (
    -- What a row is found by: hashes of the next three columns. Rows of one
    -- issuer, and of one client there, are neighbours in the index: a listing of
    -- them reads no others, and needs no other index.
    id         BLOB NOT NULL PRIMARY KEY,

    -- The key as it was given.
    issuer     TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    account    TEXT NOT NULL,

    -- Random, and new with every write.
    version    TEXT NOT NULL,
    updated_at TEXT NOT NULL, -- UTC

    -- The sealed record, up to 1 MiB. The last column: what is long is not read
    -- for what stands before it.
    data       BLOB NOT NULL
) STRICT;
