-- The table of sqlstore for PostgreSQL 9.5 and later. Store.Migrate creates it;
-- or copy this file to your own migrations, under any table name.
CREATE TABLE IF NOT EXISTS regrant_grants (
    -- What a row is found by: hashes of the next three columns, so that it has
    -- one length however long they are, and is compared byte by byte. Rows of one
    -- issuer, and of one client there, lie side by side: a listing of them reads
    -- no others, and needs no other index.
    id         bytea            NOT NULL PRIMARY KEY,

    -- The key as it was given.
    issuer     text COLLATE "C" NOT NULL,
    client_id  text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,

    -- Random, and new with every write.
    version    text COLLATE "C" NOT NULL,
    updated_at timestamptz      NOT NULL,

    -- The sealed record, up to 1 MiB.
    data       bytea            NOT NULL
);
