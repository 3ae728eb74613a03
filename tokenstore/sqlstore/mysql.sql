-- The table of sqlstore for MySQL 5.7 and MariaDB 10.3, and later. Store.Migrate
-- creates it; or copy this file to your own migrations, under any table name.
CREATE TABLE IF NOT EXISTS regrant_grants (
    -- What a row is found by: hashes of the next three columns, so that it fits in
    -- an index however long they are. Rows of one issuer, and of one client there,
    -- lie side by side: a listing of them reads no others, and needs no other
    -- index.
    id         VARBINARY(48)   NOT NULL PRIMARY KEY,

    -- The key as it was given, in UTF-8. Binary, because text would be equal to
    -- text with spaces behind it. To read it: CONVERT(account USING utf8mb4).
    issuer     VARBINARY(4096) NOT NULL,
    client_id  VARBINARY(4096) NOT NULL,
    account    VARBINARY(4096) NOT NULL,

    -- Random, and new with every write.
    version    VARBINARY(64)   NOT NULL,
    updated_at DATETIME(6)     NOT NULL, -- UTC; the microseconds are needed

    -- The sealed record, up to 1 MiB. Longer than that needs, since a server that
    -- is not in strict mode cuts what does not fit.
    data       LONGBLOB        NOT NULL
) ENGINE = InnoDB;
