package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// demos are the servers that come with the program. They differ in what real ones
// differ in, and their tokens live so short that there is something to see.
var demos = []struct {
	slot, title, about string
	access, refresh    time.Duration
	rotation           clienttest.Rotation
	grace              time.Duration
}{
	{signInSlot, "Accounts", "who you are", time.Minute, time.Hour, clienttest.RevokeFamily, 30 * time.Second},
	{"calendar", "Calendar", "wants to be used every 5 minutes", 45 * time.Second, 5 * time.Minute, clienttest.RevokeFamily, 0},
	{"files", "Files", "rotates; refresh tokens do not age", 90 * time.Second, 0, clienttest.RefuseReuse, 10 * time.Second},
	{"mail", "Mail", "does not rotate", 70 * time.Second, 20 * time.Minute, clienttest.NoRotation, 0},
}

// demoClient is how this application is registered at each of them.
var demoClient = clienttest.Client{ID: "connections", Secret: clienttest.ConfidentialSecret}

func (a *app) openDemos() error {
	for _, d := range demos {
		as, err := clienttest.Start(clienttest.Options{
			Name:      d.title,
			LoginPage: true,
			Clients:   []clienttest.Client{demoClient},
			Users:     []clienttest.User{{Account: "alice"}, {Account: "bob"}, {Account: "carol"}},
			Claims: func(_ clienttest.Exchange, claims map[string]any) {
				if sub, ok := claims["sub"].(string); ok {
					claims["email"] = sub + "@example.com"
				}
			},
			API:                 http.HandlerFunc(demoAPI),
			AccessTokenLifetime: d.access, RefreshTokenLifetime: d.refresh, Rotation: d.rotation, Grace: d.grace,
		})
		if err != nil {
			return err
		}
		a.demos = append(a.demos, as)
		s := &service{
			slot: d.slot, title: d.title, about: d.about, api: as.URL(clienttest.APIPath + "/items"), signIn: d.slot == signInSlot, demo: as,
		}
		if err := a.open(s, as.ConfidentialConfig()); err != nil {
			return err
		}
	}
	return nil
}

// demoAPI is what the job calls.
func demoAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"owner": clienttest.AccountFrom(r.Context()), "items": 3})
}

// trouble lets a server fail as real ones do: the page of a connection offers it,
// to show what becomes of the grant.
var trouble = map[string]func(s *service, account string){
	// The next renewals meet a server that is down.
	"outage": func(s *service, _ string) {
		s.demo.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"5"}}}, 3)
	},
	// Somebody has revoked the grant at the server.
	"revoke": func(s *service, account string) { s.demo.Revoke(account) },
}
