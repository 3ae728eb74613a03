// Package tokenstore says what a place to keep grants must do.
//
// A grant is what an authorization server gave to one program for one account:
// a refresh token, the access token of the day, and what is known about them.
// The client package encodes a grant into opaque bytes, seals them with a
// [Sealer], and hands them to a [Store]; a store never looks inside.
//
// # Choosing a store
//
//	              shared by               needs            Load     Save
//	memstore      goroutines              nothing          3 µs     3 µs
//	filestore     processes of one user   a directory      0.04 ms  1 ms
//	keyringstore  processes of one user   a keychain       0.06 ms  0.9 ms
//	sqlstore      processes of one host   SQLite           0.04 ms  0.3 ms
//	              machines                MySQL, MariaDB   0.15 ms  0.3 ms
//	              machines                PostgreSQL       0.09 ms  0.2 ms
//	redisstore    machines                Redis            0.07 ms  0.3 ms
//
// After a power cut memstore is empty, and filestore and keyringstore have every
// record whose Save had returned; on Windows, where a directory cannot be flushed,
// perhaps the one before it. So has sqlstore, if the database flushes a commit to
// the disk, as all of them do unless they are told otherwise, and redisstore, if
// the server is told to (appendfsync always).
//
// The times are medians for a record of 8 KiB on a machine of two cores with a
// virtual disk, SQLite with a write-ahead log, the servers on the same machine:
// what a Save takes is what the disk takes to flush.
//
// A keyringstore protects what it is given. The others keep it in clear, so the
// client demands a Sealer. A keychain is not everywhere: keyringstore.Store.Check
// tells, and a program for machines without one chooses a filestore and
// [NewPassphraseSealer] there.
//
// # Choosing a sealer
//
// [NewSealer] takes keys, for a program that has a place for secrets: the
// environment of a service, a secret manager. [NewPassphraseSealer] takes what a
// person can remember. A Tink keyset or a KMS envelope is a Sealer as it is.
//
// Whoever has the key or the passphrase, and the records, has the grants. Whoever
// loses it loses them: every user logs in again. To replace it, give the new one
// to the Sealer first and the old one behind it ([NewSealer], [NewRotation]), and
// seal what is kept anew with [Reseal].
//
// # Writing a store
//
// Three methods make a store: Load, Save and Delete. Three sentences make it a
// safe one:
//
//   - Pass back the version that you got; do not interpret it.
//   - Make a fresh random version for every Save, unless the database gives you
//     one that it never gives again.
//   - Load must see the last Save: never read from a replica or a cache.
//
// Then run tokenstoretest.TestStore against it: it holds every rule of the
// contract, and says which one a store breaks. An example of this package is a
// whole store over HTTP; examples/customstore is one on an embedded database.
//
// Places without a compare-and-swap cannot be a Store: two processes would
// overwrite each other's rotated token. Keep the key of the Sealer there, and
// the records in any table.
package tokenstore
