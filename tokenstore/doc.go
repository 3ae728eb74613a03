// Package tokenstore says what a place to keep grants must do.
//
// A grant is what an authorization server gave to one program for one account:
// a refresh token, the access token of the day, and what is known about them.
// The client package encodes a grant into opaque bytes, seals them with a
// [Sealer], and hands them to a [Store]; a store never looks inside.
//
// # Choosing a store
//
//	memstore      goroutines of one process; gone when it ends
//	filestore     processes of one host: one sealed file per grant
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
// contract, and says which one a store breaks.
//
// Places without a compare-and-swap cannot be a Store: two processes would
// overwrite each other's rotated token. Keep the key of the Sealer there, and
// the records in any table.
package tokenstore
