package clienttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/memhttp"
)

// The endpoints, as paths below the issuer.
const (
	DiscoveryPath  = "/.well-known/openid-configuration"
	JWKSPath       = "/jwks"
	AuthorizePath  = "/authorize"
	TokenPath      = "/token"
	DevicePath     = "/device_authorization"
	VerifyPath     = "/device" // where the user types the user code
	RevokePath     = "/revoke"
	UserInfoPath   = "/userinfo"
	EndSessionPath = "/logout"
	APIPath        = "/api" // a protected resource, not a part of the authorization server

	loginPath = "/login" // where the login page is sent to
)

// A Server is a running authorization server. Its methods are safe for
// concurrent use.
type Server struct {
	issuer    string
	places    map[string]string       // paths by host and path, of Options.Provider in memory
	opts      atomic.Pointer[Options] // never changed, only replaced
	routes    map[string]func(*call)
	transport http.RoundTripper
	idle      []*http.Transport // whose idle connections Close ends

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	visits sync.WaitGroup // of Browser
	stop   func()
	closed sync.Once

	mu        sync.Mutex
	exchanges []Exchange
	faults    map[string][]*planned
	grants    grants
	key       signingKey
}

// NewServer starts a server on a loopback port. It is closed when the test ends.
// For other Options, call Set.
func NewServer(t testing.TB) *Server {
	t.Helper()
	return newServer(t, Options{})
}

// NewMemoryServer starts a server that is reached over connections in memory. In
// a [testing/synctest] bubble, call it inside the bubble. The login there is one
// of FlowFunc with Grant, Password or Device; Browser listens on a real port,
// which a bubble cannot wait for.
func NewMemoryServer(t testing.TB) *Server {
	t.Helper()
	return newServer(t, Options{InMemory: true})
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server outside of a test. Close it when it is no longer needed.
// It fails if Options.Issuer is not a URL that it can serve, or if there is no
// profile of Options.Provider.
func Start(o Options) (*Server, error) {
	if err := o.play(); err != nil {
		return nil, err
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	s := &Server{faults: map[string][]*planned{}, grants: newGrants(), key: key}
	l, err := s.listen(&o)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s.opts.Store(&o)
	s.routes = map[string]func(*call){
		DiscoveryPath:  s.discovery,
		JWKSPath:       s.jwks,
		AuthorizePath:  s.authorize,
		loginPath:      s.login,
		TokenPath:      s.token,
		DevicePath:     s.deviceAuthorization,
		VerifyPath:     s.verifyDevice,
		RevokePath:     s.revoke,
		UserInfoPath:   s.userInfo,
		EndSessionPath: s.endSession,
		APIPath:        s.api,
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stop = memhttp.Serve(l, http.HandlerFunc(s.serve))
	return s, nil
}

// listen settles the issuer and how it is reached.
func (s *Server) listen(o *Options) (net.Listener, error) {
	network := &http.Transport{MaxIdleConnsPerHost: 100} // many goroutines talk to this one host
	s.idle = []*http.Transport{network}

	u, err := url.Parse(o.Issuer)
	switch {
	case o.Issuer == "" && o.InMemory:
		u = &url.URL{Scheme: "https", Host: "as.example"}
	case o.Issuer == "":
		u = &url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("clienttest: Options.Issuer is not a URL without query and fragment")
	}
	if o.InMemory {
		s.issuer = u.String()
		l := memhttp.Listen()
		memory := l.Transport()
		s.idle = append(s.idle, memory)
		s.places = o.places()
		s.transport = byHost{hosts: hosts(u.Host, s.places), memory: memory, network: network}
		return l, nil
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "http" || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("clienttest: Options.Issuer must be http with a loopback address (http://127.0.0.1:0), or in memory")
	}
	l, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("clienttest: %w", err)
	}
	u.Host = l.Addr().String()
	s.issuer = u.String()
	s.transport = network
	return l, nil
}

// byHost sends what is for the server in memory there, and all else to the network.
type byHost struct {
	hosts           map[string]bool
	memory, network http.RoundTripper
}

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.hosts[r.URL.Host] {
		return b.memory.RoundTrip(r)
	}
	return b.network.RoundTrip(r)
}

// Close ends the server: requests that are delayed or held are cut off, and
// when it returns, all handlers and connections have ended. It may be called
// more than once.
func (s *Server) Close() {
	s.closed.Do(func() {
		s.mu.Lock()
		s.cancel() // under the lock: no visit begins any more
		s.mu.Unlock()
		s.visits.Wait()
		for _, t := range s.idle {
			t.CloseIdleConnections()
		}
		s.stop()
	})
}

// Set changes the options of the running server, from the next request on.
// Tokens that were issued keep their lifetimes.
func (s *Server) Set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.opts.Load().withDefaults() // a copy: requests under way keep theirs
	change(&o)
	o = o.withDefaults()
	s.opts.Store(&o)
}

// Issuer returns the issuer identifier.
func (s *Server) Issuer() string { return s.issuer }

// URL returns where the endpoint with that path is: s.URL(clienttest.APIPath).
func (s *Server) URL(path string) string { return strings.TrimSuffix(s.issuer, "/") + path }

// Endpoint returns the endpoints for a public client that does without
// discovery. For ConfidentialClient, AuthStyle must be oauth2.AuthStyleInHeader.
func (s *Server) Endpoint() oauth2.Endpoint {
	return oauth2.Endpoint{
		AuthURL:       s.URL(AuthorizePath),
		DeviceAuthURL: s.URL(DevicePath),
		TokenURL:      s.URL(TokenPath),
		AuthStyle:     oauth2.AuthStyleInParams,
	}
}

// HTTPClient returns a client that reaches the server, and other hosts as ever.
// It follows redirects, and sends no token by itself.
func (s *Server) HTTPClient() *http.Client { return &http.Client{Transport: s.transport} }

// serve is the way of every request: it is recorded, then faults and the
// endpoint have their turns in the order of the documentation of Fault.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(r)
	f := s.nextFault(c.x.Path)
	s.pause(f.Delay)
	f.request.hold(s.ctx)
	if f.Commit || !f.replaces() {
		c.handle()
	}
	f.answer.hold(s.ctx)
	s.pause(f.DelayAnswer)
	if s.ctx.Err() != nil {
		panic(http.ErrAbortHandler) // closed meanwhile
	}
	f.spoil(c)
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	c.send(w, f.Truncate)
}
