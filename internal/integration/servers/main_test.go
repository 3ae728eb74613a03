// Package servers_test tells real authorization servers, and the one of
// clienttest, the same stories: how users log in, and what becomes of their grants.
//
// A server is one file, server_*_test.go: how it is started, what a program has to
// set, what can be done to it behind a program's back, and what it does not offer;
// beside that, it is in all, and a real one has a starter in package lab.
// What came of each story at each server is the table in internal/docs/servers.md.
//
// The same stories are told of the providers that clienttest plays, each in a bubble
// of testing/synctest; see client/provider/stories.md.
package servers_test

import (
	"cmp"
	"flag"
	"net/http"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/internal/integration/lab"
)

func TestMain(m *testing.M) { lab.Main(m, map[string]lab.Program{caller: call}) }

var update = flag.Bool("update", false, "write the table of internal/docs/servers.md, and client/provider/stories.md")

// A server is a kind of authorization server.
type server struct {
	name string

	// open is called once, with the test of all stories of this server. The start
	// that it returns is called for each story: it starts a server of the story's
	// own, unless that takes long and the story can share one.
	open func(*testing.T) (start func(*testing.T, settings) *running)

	// lacks tells, by the name of the story, what the server does not offer. untried
	// tells what nothing here can bring about there, whatever the server would do.
	lacks, untried map[string]string
}

// settings are what a story wants of the server that is started for it. Servers
// that cannot do it say so in lacks.
type settings struct {
	lifetime, grace int  // in seconds; 0: 2, and none
	alone           bool // it does what no other story can bear
}

// alike is the open of a server that starts for each story.
func alike(start func(*testing.T, settings) *running) func(*testing.T) func(*testing.T, settings) *running {
	return func(*testing.T) func(*testing.T, settings) *running { return start }
}

// A running server is what a story has of one.
type running struct {
	t      *testing.T
	issuer string

	// public and confidential are clients of the server. Their RedirectURL is one
	// that nobody listens at.
	public, confidential client.Config
	browserURL           string // client.Browser.RedirectURL
	username, password   string

	lifetime time.Duration // of access tokens
	scopes   []string      // that a login grants, among others
	asks     []string      // for which a program has to ask to get them; nil: it asks for none of its own

	// Of a server in memory: what reaches it, and how the next token request is lost,
	// or its answer. Otherwise each program has a proxy of its own, which cuts.
	web  *http.Client
	lose func(answer bool)

	// Of a provider that is played.
	played  *faked
	profile *provider.Profile

	// user opens a page of the server, and does there what is wanted. It returns
	// where the browser is sent in the end.
	user func(t *testing.T, page string, w wish) (callback string, err error)

	// What happens behind the back of a program. Nil: not to this server.
	changeSecret func() (secret string) // of the confidential client
	rotateKeys   func()                 // from now on, or soon, ID tokens are signed with another key
	kill         func() (again func())
	busy         func()               // answers the next token request with 503
	noRefresh    func(*client.Config) // what a program sets, or forgets, that gets no refresh token
	advice       string               // what the error then says

	// says is what is known of the server instead of metadata; nil: it has some.
	says map[string]any

	spend  func(refreshToken string) (next string, ok bool) // see refresh; nil: by an ordinary request
	revoke func()                                           // ends alice's grant; nil: at the revocation endpoint
}

// A wish is what a user does with a page.
type wish struct {
	deny bool
	stay bool   // do not request the callback: the program is told of it otherwise
	code string // the user code of a device
}

func all() []server {
	return []server{fake(), oidcProvider(), dex(), hydra()}
}

func TestStories(t *testing.T) {
	t.Parallel()
	results := &results{cells: map[[2]string]string{}}
	t.Run("at", func(t *testing.T) {
		for _, s := range all() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				start := s.open(t)
				for _, st := range stories() {
					t.Run(st.name, func(t *testing.T) {
						t.Parallel()
						if why := s.lacks[st.name]; why != "" && !st.isLacking(t, start) {
							t.Errorf("%s offers it, although its file says: %s", s.name, why)
						}
						tell(t, s, start, st, results)
					})
				}
			})
		}
	})
	results.check(t)
}

// A story is what a program lives through.
type story struct {
	name     string
	settings settings
	// tell tells it, and returns what is worth to be known of this server beside
	// that it works. It fails the test if the client does not do what it should.
	tell func(*testing.T, *running) (note string)
	// lacking asks a server that is said not to offer it whether that is so. Nil: no
	// server may say so. A provider is not asked: it is played by what it says.
	lacking func(*testing.T, *running) bool
	// able tells whether the server's file has what the story needs. Nil: every one.
	able func(*running) bool
	// listens: the program listens at a port, for which time in a bubble stands still.
	listens bool
}

func tell(t *testing.T, s server, start func(*testing.T, settings) *running, st story, results *results) {
	if why := s.lacks[st.name]; why != "" {
		results.set(st.name, s.name, "not offered: "+why)
		return
	}
	if why := s.untried[st.name]; why != "" {
		results.set(st.name, s.name, "not tried: "+why)
		return
	}
	r := st.begin(t, start)
	if st.able != nil && !st.able(r) {
		t.Fatalf("the file of %s neither has what it takes nor says why not", s.name)
	}
	note := st.tell(t, r)
	if t.Failed() {
		return
	}
	if note != "" {
		note = ": " + note
	}
	results.set(st.name, s.name, "works"+note)
}

func (st story) begin(t *testing.T, start func(*testing.T, settings) *running) *running {
	t.Helper()
	st.settings.lifetime = cmp.Or(st.settings.lifetime, 2)
	r := start(t, st.settings)
	r.lifetime = cmp.Or(r.lifetime, time.Duration(st.settings.lifetime)*time.Second)
	if r.scopes == nil {
		r.scopes = []string{"openid", "offline_access"}
	}
	r.advice = cmp.Or(r.advice, "offline_access")
	return r
}

func (st story) isLacking(t *testing.T, start func(*testing.T, settings) *running) bool {
	t.Helper()
	if st.lacking == nil {
		t.Fatal("nothing here asks a server whether it lacks this")
	}
	return st.lacking(t, st.begin(t, start))
}
