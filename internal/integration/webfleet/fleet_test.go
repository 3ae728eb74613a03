package webfleet_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

const machines = 4

// A fleet is a web backend in production.
type fleet struct {
	t      *testing.T
	scale  scale
	as     *clienttest.Server
	db     database
	front  *front
	config config

	all   []*lab.Process
	addrs []string
}

// newFleet starts a fleet whose users have all connected.
func newFleet(t *testing.T, start func(*testing.T) database, background bool, set func(*clienttest.Options)) *fleet {
	t.Helper()
	f := &fleet{t: t, scale: newScale(t), as: clienttest.NewServer(t), db: start(t), front: newFront(t)}
	f.as.Set(func(o *clienttest.Options) {
		o.Clients = []clienttest.Client{{ID: clienttest.ConfidentialClient, Secret: clienttest.ConfidentialSecret}}
		// The API takes tokens for longer than clients believe, so that a machine
		// that is slow makes no difference.
		o.AccessTokenLifetime = time.Hour
		o.Tamper = func(_ clienttest.Exchange, answer map[string]any) {
			if _, ok := answer["expires_in"]; ok {
				answer["expires_in"] = int(f.scale.lifetime.Seconds())
			}
		}
		for i := range f.scale.users {
			o.Users = append(o.Users, clienttest.User{Account: userName(i)})
		}
		set(o)
	})
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	f.config = config{Issuer: f.as.Issuer(), Place: f.db.place, Key: key, Front: f.front.server.URL, Users: f.scale.users, Background: background}
	for i := range machines {
		f.all, f.addrs = append(f.all, nil), append(f.addrs, "")
		f.start(i)
	}
	f.connect()
	return f
}

// start starts the process of a machine, and lets the front know.
func (f *fleet) start(i int) {
	f.t.Helper()
	f.all[i] = lab.Start(f.t, program, f.config)
	var r report
	f.all[i].Receive(&r)
	f.addrs[i] = r.Addr
	f.front.set(append([]string(nil), f.addrs...))
}

// connect lets every user log in, with a browser, through the front.
func (f *fleet) connect() {
	f.t.Helper()
	began := time.Now()
	users := make(chan string)
	var elsewhere atomic.Int64
	var browsers sync.WaitGroup
	for range 8 {
		browsers.Go(func() {
			for user := range users {
				resp, err := f.as.UserAgent(user).Post(f.front.server.URL+"/connect?user="+user, "", nil)
				if err != nil {
					f.t.Errorf("%s does not log in: %v", user, err)
					continue
				}
				page, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				by, finished, ok := strings.Cut(string(page), " ")
				if resp.StatusCode != http.StatusOK || !ok {
					f.t.Errorf("%s does not log in: %s: %s", user, resp.Status, page)
				}
				if by != finished {
					elsewhere.Add(1)
				}
			}
		})
	}
	for i := range f.scale.users {
		users <- userName(i)
	}
	close(users)
	browsers.Wait()
	if int(elsewhere.Load()) < f.scale.users/2 {
		f.t.Errorf("only %d of %d logins were finished by another process than began them", elsewhere.Load(), f.scale.users)
	}
	f.t.Logf("%d users have logged in within %v, %d of them by two processes", f.scale.users, time.Since(began).Round(time.Millisecond), elsewhere.Load())
}

// round lets every process call the API once for every user, at the same time.
func (f *fleet) round(o order) (calls int, failed []report, took time.Duration) {
	f.t.Helper()
	began := time.Now()
	for _, p := range f.all {
		p.Send(o)
	}
	for _, p := range f.all {
		var r report
		p.Receive(&r)
		calls += r.Calls
		if r.Failures > 0 {
			failed = append(failed, r)
		}
		f.t.Logf("process %d: %d calls, %d failures, %d goroutines, %d KiB of heap", p.PID(), r.Calls, r.Failures, r.Goroutines, r.HeapKiB)
	}
	return calls, failed, time.Since(began)
}

// comesToRest checks that nothing goes on once nobody calls any more. What has been
// used is renewed once more in the background.
func (f *fleet) comesToRest() {
	f.t.Helper()
	time.Sleep(2 * f.scale.lifetime)
	for _, p := range f.all {
		var r report
		p.Send(rest)
		if p.Receive(&r); r.Goroutines > 150 {
			f.t.Errorf("process %d has %d goroutines, and nothing to do", p.PID(), r.Goroutines)
		}
	}
}

// keptAliveByAll lets every process run KeepAlive at the same time, on grants that
// have not been used for a year.
func (f *fleet) keptAliveByAll() {
	f.t.Helper()
	f.age(2 * halfAYear)
	before := f.as.RefreshCount()
	_, failed, took := f.round(keepAlive)
	if len(failed) > 0 {
		f.t.Errorf("KeepAlive: %+v", failed)
	}
	n := f.as.RefreshCount() - before
	if n != f.scale.users {
		f.t.Errorf("kept alive by %d processes, %d grants cost %d token requests", machines, f.scale.users, n)
	}
	f.t.Logf("KeepAlive in %d processes: %d token requests for %d grants, within %v", machines, n, f.scale.users, took.Round(time.Millisecond))
}

// age lets time pass for what is kept: nobody has used it since.
func (f *fleet) age(d time.Duration) {
	f.t.Helper()
	store, err := f.db.place.open()
	if err != nil {
		f.t.Fatal(err)
	}
	sealer, err := tokenstore.NewSealer(f.config.Key)
	if err != nil {
		f.t.Fatal(err)
	}
	older := func(key tokenstore.Key) error {
		data, v, err := store.Load(f.t.Context(), key)
		if err != nil {
			return err
		}
		if data, err = sealer.Decrypt(data, key.AssociatedData()); err != nil {
			return err
		}
		rec, err := record.Decode(data, key.String())
		if err != nil {
			return err
		}
		rec.Renewed, rec.Expiry = rec.Renewed.Add(-d), rec.Expiry.Add(-d)
		if data, err = rec.Encode(key.String()); err != nil {
			return err
		}
		if data, err = sealer.Encrypt(data, key.AssociatedData()); err != nil {
			return err
		}
		_, err = store.Save(f.t.Context(), key, data, v)
		return err
	}
	for i := range f.scale.users {
		key := tokenstore.Key{Issuer: f.config.Issuer, ClientID: clienttest.ConfidentialClient, Account: userName(i)}
		if err := older(key); err != nil {
			f.t.Fatalf("%v: %v", key, err)
		}
	}
}

// sentAgain tells how many token requests came with a refresh token that had come
// before.
func (f *fleet) sentAgain() (n int) {
	sent := map[string]bool{}
	for _, x := range f.as.Exchanges() {
		if x.GrantType == "refresh_token" {
			if sent[x.RefreshToken] {
				n++
			}
			sent[x.RefreshToken] = true
		}
	}
	return n
}

func (f *fleet) nobodyIsLoggedOut() {
	f.t.Helper()
	if n := f.as.Requests(clienttest.AuthorizePath); n != f.scale.users {
		f.t.Errorf("%d logins of %d users", n, f.scale.users)
	}
	for _, x := range f.as.Exchanges() {
		if x.GrantType == "refresh_token" && (x.Outcome == clienttest.Refused || x.Outcome == clienttest.Reused) {
			f.t.Errorf("the refresh token of %s was %v: %s", x.Account, x.Outcome, x.Error)
		}
	}
	for i := range f.scale.users {
		if !f.as.FamilyAlive(userName(i)) {
			f.t.Errorf("the grant of %s has ended", userName(i))
		}
	}
}

// All access tokens expire at once, and every process wants another one for every
// user, at a server that ends a grant whose refresh token comes twice.
func TestEachExpiryOfEachUserCostsAFleetOneTokenRequest(t *testing.T) {
	t.Parallel()
	for name, start := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, start, false, func(o *clienttest.Options) { o.Rotation = clienttest.RevokeFamily })
			var total int
			var renewing time.Duration
			for expiry := 1; expiry <= f.scale.expiries; expiry++ {
				time.Sleep(f.scale.lifetime)
				before := f.as.RefreshCount()
				calls, failed, took := f.round(once)
				if len(failed) > 0 || calls != machines*f.scale.users {
					t.Fatalf("expiry %d: %d calls, failures: %+v", expiry, calls, failed)
				}
				n := f.as.RefreshCount() - before
				total, renewing = total+n, renewing+took
				// What was renewed first is to be renewed again after three quarters of its life.
				if inTime := took < f.scale.lifetime*2/3; n < f.scale.users || inTime && n > f.scale.users {
					t.Errorf("expiry %d: %d token requests for %d users, within %v", expiry, n, f.scale.users, took)
				}
			}
			f.keptAliveByAll()
			if n := f.sentAgain(); n != 0 {
				t.Errorf("%d refresh tokens were sent twice", n)
			}
			f.nobodyIsLoggedOut()
			for _, p := range f.all {
				p.Close()
			}
			text := fmt.Sprintf("%d users, %d expiries, %d processes: %d token requests, and %d calls, %v in all", f.scale.users, f.scale.expiries, machines, total, f.scale.expiries*machines*f.scale.users, renewing.Round(time.Millisecond))
			t.Log(text)
			t.Attr("fleet", text)
		})
	}
}

// The jobs go on for as many lifetimes, while one process after the other is killed,
// and the database once, at a server with a grace period.
func TestKilledProcessesAndARestartOfTheDatabaseLogNobodyOut(t *testing.T) {
	t.Parallel()
	for name, start := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, start, true, func(o *clienttest.Options) { o.Grace = 2 * time.Minute })
			for _, p := range f.all {
				p.Send(work)
			}
			pause := f.scale.lifetime * time.Duration(f.scale.expiries) / time.Duration(f.scale.kills+1)
			var unread int
			for kill := range f.scale.kills {
				time.Sleep(pause)
				if kill == f.scale.kills/2 {
					f.db.restart()
				}
				i := kill % machines
				unread += f.all[i].Kill()
				f.start(i)
				f.all[i].Send(work)
			}
			time.Sleep(pause)
			calls, failed, _ := f.round(rest)
			for _, r := range failed {
				if len(r.LoginRequired) > 0 {
					t.Errorf("told to log in again: %q, %s", r.LoginRequired, r.Sample)
				}
			}
			t.Logf("%d calls went well, and others failed for a while: %+v", calls, failed)
			if unread > 0 {
				t.Errorf("%d processes have stopped to work", unread)
			}

			// What the dead have left is taken over by whoever comes next.
			var last []report
			for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(time.Second) {
				if _, last, _ = f.round(once); len(last) == 0 {
					break
				}
			}
			if len(last) > 0 {
				t.Errorf("a minute later there are still failures: %+v", last)
			}
			f.nobodyIsLoggedOut()
			f.comesToRest()
			for _, p := range f.all {
				p.Close()
			}
			text := fmt.Sprintf("%d users, %d kills, a restart of the database: %d calls, %d token requests, %d of them with a token that a dead process had sent",
				f.scale.users, f.scale.kills, calls, f.as.RefreshCount(), f.sentAgain())
			t.Log(text)
			t.Attr("killed_fleet", text)
		})
	}
}
