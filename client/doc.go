// Package client obtains OAuth 2.0 grants, keeps them fresh, and ends them.
//
// A program makes one [Client] for itself at one authorization server, names an
// account, makes sure that its user is logged in, and sends requests:
//
//	c, err := client.New(client.Config{Issuer: issuer, ClientID: "my-cli", Store: store, Sealer: sealer})
//	defer c.Close()
//	me := c.Account("default")
//	err = me.Ensure(ctx, client.Browser{})  // logs in only if nothing usable is kept
//	resp, err := me.HTTPClient().Get(url)   // renews, rotates, persists by itself
//
// A web program, whose users come with browsers of their own, logs them in with
// [Client.BeginLogin] and [Client.FinishLogin]; the rest is the same, on any of
// its machines. At night [Client.KeepAlive] renews what nobody has used, and
// [Client.Accounts] tells how every grant is doing.
//
// # What is kept
//
// A grant: the refresh token, the access token, and what the server said about
// them. It lies in a tokenstore.Store, sealed by a tokenstore.Sealer, under the
// name of issuer, client and account. It never goes to another server.
//
// # Providers
//
// What is known of real providers lies in package client/provider, and is used by
// itself for a known Issuer, or by its name:
//
//	c, err := client.New(client.Config{Provider: "github", ClientID: id, Auth: client.Secret(secret), Store: store})
//
// What the program says itself goes before it.
//
// # What happens at an expiry
//
// A refresh token may be single-use, and using it twice may log the user out
// everywhere (RFC 9700 section 4.14.2). So among all goroutines, processes and
// machines that share a store, one renews: it first writes its intent into the
// record, then spends the refresh token, then saves the successor, and only then
// hands out the new access token. If it dies in between, another process sees
// the intent and takes over. No caller waits longer than its own context, and no
// caller's context cuts a renewal.
//
// # When the user has to log in again
//
// [ErrLoginRequired] says so, with the cause: the grant was revoked, has expired,
// or a policy has changed; or the answer to a renewal was lost and the server
// has no grace period for it. Nothing else ends a grant: not a server that is
// down, not a page of a proxy, not a record that cannot be read.
package client
