package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// A server that ends every grant three months after its login lets each refresh
// token live as long as is left.
func TestAccountsForetellWhoHasToLogInAgainByWhen(t *testing.T) {
	const life = 3 * month
	inService(t, 0, func(t *testing.T, s *service) {
		logins := map[string]time.Time{}
		s.as.Set(func(o *clienttest.Options) {
			o.Users = []clienttest.User{{Account: name(0)}, {Account: name(1)}}
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if x.GrantType == "refresh_token" {
					answer["refresh_expires_in"] = int(time.Until(logins[x.Account].Add(life)) / time.Second)
				}
			}
		})
		c := s.machine()
		for i := range 2 {
			s.login(c, name(i))
			logins[name(i)] = time.Now()
			time.Sleep(10 * 24 * time.Hour)
		}
		forecast := func() map[string]time.Time {
			t.Helper()
			all := map[string]time.Time{}
			for st, err := range c.Accounts(t.Context()) {
				if err != nil || st.Err != nil {
					t.Fatal(err, st.Err)
				}
				all[st.Account] = st.GrantExpiry
			}
			return all
		}
		for range 2 { // two renewals of each tell that the end does not move
			if err := c.KeepAlive(t.Context(), 24*time.Hour); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		for account, end := range forecast() {
			if want := logins[account].Add(life); end.Sub(want).Abs() > time.Minute {
				t.Errorf("%s has to log in again by %v, and is told %v", account, want, end)
			}
		}
		// After a login it begins anew.
		s.login(c, name(0))
		if end := forecast()[name(0)]; !end.IsZero() {
			t.Errorf("after another login the end is known already: %v", end)
		}
	})
}

// threeUsers is a Config whose store keeps the grants of three users. What their
// server told of their ends is written down here; otherwise it takes months.
func threeUsers(as *clienttest.Server) client.Config {
	cfg := as.Config()
	day := 24 * time.Hour
	for account, rec := range map[string]record.Record{
		"alice": {GrantExpiry: time.Now().Add(3*day + time.Hour)},
		"bob":   {GrantExpiry: time.Now().Add(60 * day)},
		"carol": {Refused: &record.Refused{Code: "invalid_grant", When: time.Now()}},
	} {
		rec.Grant, rec.RefreshToken = account, "secret"
		key := tokenstore.Key{Issuer: cfg.Issuer, ClientID: cfg.ClientID, Account: account}
		data, err := rec.Encode(key.String())
		if err == nil {
			data, err = cfg.Sealer.Encrypt(data, key.AssociatedData())
		}
		if err == nil {
			_, err = cfg.Store.Save(context.Background(), key, data, "")
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	return cfg
}

// Who has to log in again within two weeks, the most urgent first? KeepAlive cannot
// help them: it is the age of their logins that ends them.
func ExampleClient_Accounts_forecast() {
	as, err := clienttest.Start(clienttest.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer as.Close()
	c, err := client.New(threeUsers(as)) // a program names its Issuer, ClientID, Store and Sealer
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var soon []client.Status
	for s, err := range c.Accounts(context.Background()) {
		switch {
		case err != nil:
			log.Fatal(err)
		case errors.Is(s.Err, client.ErrLoginRequired): // now
			s.GrantExpiry = time.Now()
			soon = append(soon, s)
		case !s.GrantExpiry.IsZero() && time.Until(s.GrantExpiry) < 14*24*time.Hour:
			soon = append(soon, s)
		}
	}
	slices.SortFunc(soon, func(a, b client.Status) int { return a.GrantExpiry.Compare(b.GrantExpiry) })
	for _, s := range soon {
		fmt.Printf("%s has to log in again within %d days\n", s.Account, time.Until(s.GrantExpiry)/(24*time.Hour))
	}
	// Output:
	// carol has to log in again within 0 days
	// alice has to log in again within 3 days
}
