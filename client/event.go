package client

import (
	"log/slog"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// An EventKind says what happened. New kinds may be added.
type EventKind int

// The kinds of events.
const (
	// LoggedIn: a login, or an import, was saved.
	LoggedIn EventKind = iota + 1
	// Renewed: this process renewed the grant; Generation is the new one.
	Renewed
	// Adopted: another process had renewed the grant, or logged in; this one took over what it saved.
	Adopted
	// RenewFailed: a renewal failed, and Err says why. A token that still works is handed out meanwhile.
	RenewFailed
	// LoginNeeded: the grant that there was is gone, or was refused; Err says why.
	LoginNeeded
	// SaveFailed: the server has issued new tokens, and the store does not take them. They are kept in
	// memory and saved again and again, until it works or Close gives up.
	SaveFailed
	// LeaseOverrun: this process, or another, took longer than its lease: a store or a machine stalls.
	LeaseOverrun
	// IDTokenUnchecked: a renewal brought an ID token whose signature could not be checked, because the
	// server's keys were out of reach. The old claims stay.
	IDTokenUnchecked
	// LoggedOut: the grant was revoked and deleted; Err says what the server may not know.
	LoggedOut
	// LoginFailed: a web login did not come to a good end; Err says why. Its Key has no Account if nobody was
	// signed in.
	LoginFailed
	// KeptAlive: KeepAlive has come as far as Done of Total grants; once every few seconds, and at its end.
	KeptAlive
)

var eventNames = [...]string{
	LoggedIn: "logged_in", Renewed: "renewed", Adopted: "adopted", RenewFailed: "renew_failed", LoginNeeded: "login_needed",
	SaveFailed: "save_failed", LeaseOverrun: "lease_overrun", IDTokenUnchecked: "id_token_unchecked", LoggedOut: "logged_out",
	LoginFailed: "login_failed",
	KeptAlive:   "kept_alive",
}

// String returns the kind as a word in snake case, for logs and metrics.
func (k EventKind) String() string {
	if k <= 0 || int(k) >= len(eventNames) {
		return "unknown"
	}
	return eventNames[k]
}

// An Event tells what has happened to one grant. It holds no secret; as a
// slog.LogValuer it can be logged as it is:
//
//	slog.InfoContext(ctx, "oauth", "event", e)
type Event struct {
	Kind       EventKind
	Key        tokenstore.Key
	Start      time.Time     // when the work began
	Duration   time.Duration // how long it took
	Generation uint64        // of the grant, after what happened
	Err        error         // nil if all went well

	Done, Total int // of a KeptAlive: grants that were looked at, and how many there are
}

// LogValue returns the event as a group of attributes.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("kind", e.Kind.String()),
		slog.String("issuer", e.Key.Issuer),
		slog.String("client_id", e.Key.ClientID),
		slog.String("account", e.Key.Account),
		slog.Duration("duration", e.Duration),
		slog.Uint64("generation", e.Generation),
	}
	if e.Kind == KeptAlive {
		attrs = append(attrs, slog.Int("done", e.Done), slog.Int("total", e.Total))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}
