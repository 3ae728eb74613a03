package servers_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A place is where the grants of one user of one program are kept, and how they
// are sealed.
type place struct {
	Dir    string
	Key    []byte
	memory tokenstore.Store // in place of Dir
}

func (r *running) newPlace() place {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if r.web != nil {
		return place{Key: key, memory: memstore.New()}
	}
	return place{Dir: r.t.TempDir() + "/grants", Key: key}
}

func (p place) in(cfg client.Config) (client.Config, error) {
	var err error
	if cfg.Store = p.memory; cfg.Store == nil {
		cfg.Store = filestore.New(p.Dir)
	}
	cfg.Sealer, err = tokenstore.NewSealer(p.Key)
	return cfg, err
}

// A program is one that a user has started. Two of them over one place behave as
// two processes do.
type program struct {
	*client.Account
	t     *testing.T
	r     *running
	cfg   client.Config
	owner *client.Client
	place place
	proxy *lab.Proxy // between the program and the server, unless that is in memory
}

// program starts a program for a new user, who has nothing.
func (r *running) program(set func(*client.Config)) *program {
	cfg := r.public
	if set != nil {
		set(&cfg)
	}
	return r.another(cfg, r.newPlace())
}

// another starts one more program.
func (r *running) another(cfg client.Config, at place) *program {
	r.t.Helper()
	cfg, err := at.in(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &program{t: r.t, r: r, cfg: cfg, place: at}
	if p.cfg.HTTPClient = r.web; r.web == nil {
		p.proxied()
	}
	c, err := client.New(p.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			r.t.Error(err)
		}
	})
	p.owner, p.Account = c, c.Account("alice")
	return p
}

// proxied lets the program reach the server by a proxy.
func (p *program) proxied() {
	p.t.Helper()
	host := p.r.host()
	p.proxy = lab.NewProxy(p.t, "tcp", host)
	direct := http.DefaultTransport.(*http.Transport).Clone()
	dial := direct.DialContext
	direct.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == host {
			addr = p.proxy.Addr
		}
		return dial(ctx, network, addr)
	}
	// node ends idle connections after five seconds, and a request that goes out
	// in that very moment is lost. A machine that is slow meets such moments.
	direct.IdleConnTimeout = time.Second
	p.t.Cleanup(direct.CloseIdleConnections)
	p.cfg.HTTPClient = &http.Client{Transport: direct}
}

func (r *running) host() string {
	u, err := url.Parse(r.issuer)
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Host
}

// metadata returns what the server says about itself.
func (r *running) metadata() map[string]any {
	r.t.Helper()
	if r.says != nil {
		return r.says
	}
	var m map[string]any
	resp, err := cmp.Or(r.web, http.DefaultClient).Get(strings.TrimSuffix(r.issuer, "/") + "/.well-known/openid-configuration")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *running) endpoint(name string) string {
	r.t.Helper()
	u, _ := r.metadata()[name].(string)
	if u == "" {
		r.t.Fatalf("the server has no %s", name)
	}
	return u
}

// An answer is what an endpoint says.
type answer struct {
	Error           string `json:"error"`
	RefreshToken    string `json:"refresh_token"`
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	Interval        int    `json:"interval"`
}

// post sends a form as the public client, from another program.
func (r *running) post(endpoint string, form url.Values) (status int, a answer) {
	r.t.Helper()
	form.Set("client_id", r.public.ClientID)
	resp, err := http.PostForm(r.endpoint(endpoint), form)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		r.t.Fatal(err)
	}
	return resp.StatusCode, a
}

// refresh spends a refresh token behind a program's back. ok tells whether the
// server took it.
func (r *running) refresh(refreshToken string) (next string, ok bool) {
	r.t.Helper()
	if r.spend != nil {
		return r.spend(refreshToken)
	}
	status, a := r.post("token_endpoint", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	return a.RefreshToken, status == http.StatusOK
}

// patient bounds a login: a user who never comes back is to be told from a
// program that is slow.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// paste is a user who brings the URL of the callback by hand.
func (r *running) paste(t *testing.T) client.Flow {
	return client.Paste{Read: func(_ context.Context, page string) (string, error) {
		return r.user(t, page, wish{stay: true})
	}}
}

// ask lets the user log in.
func (p *program) ask(flow client.Flow) error {
	return p.Login(patient(p.t), flow)
}

// login logs in by the way that every server has.
func (p *program) login() {
	p.t.Helper()
	if err := p.ask(p.r.paste(p.t)); err != nil {
		p.t.Fatalf("login: %v", err)
	}
}

// stored returns what is kept.
func (p *program) stored() *record.Record {
	p.t.Helper()
	key := tokenstore.Key{Issuer: p.r.issuer, ClientID: p.cfg.ClientID, Account: p.Name()}
	data, _, err := p.cfg.Store.Load(p.t.Context(), key)
	if err == nil {
		data, err = p.cfg.Sealer.Decrypt(data, key.AssociatedData())
	}
	if err != nil {
		p.t.Fatal(err)
	}
	rec, err := record.Decode(data, key.String())
	if err != nil {
		p.t.Fatal(err)
	}
	return rec
}

// expire waits until the access token has ended.
func (p *program) expire() {
	p.t.Helper()
	left := p.r.lifetime // if the program was not told
	if expiry := p.stored().Expiry; !expiry.IsZero() {
		left = time.Until(expiry)
	}
	time.Sleep(left + 100*time.Millisecond)
}

// token asks for a token that works. If nobody has told the program how long one does,
// it has to be said that it does not, as an API does by a 401.
func (p *program) token() error {
	tok, err := p.Token(p.t.Context())
	if err == nil && tok.Expiry.IsZero() {
		_, err = p.Refresh(p.t.Context(), tok)
	}
	return err
}

// asks asks the UserInfo endpoint, which is the protected API here. For a token
// that ends on its way dex answers 403, which nobody can tell from a refusal, so
// that is asked again.
func asks(ctx context.Context, me *client.Account, api string) (err error) {
	for range 3 {
		var status int
		if status, err = ask(ctx, me, api); status != http.StatusForbidden {
			break
		}
	}
	return err
}

func ask(ctx context.Context, me *client.Account, api string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api, nil)
	if err != nil {
		return 0, err
	}
	resp, err := me.HTTPClient().Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var who struct {
		Sub string `json:"sub"`
	}
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return resp.StatusCode, fmt.Errorf("the API answers %s: %q", resp.Status, said)
	}
	if err := json.NewDecoder(resp.Body).Decode(&who); err != nil || who.Sub == "" {
		return resp.StatusCode, errors.New("the API does not know who asks")
	}
	return resp.StatusCode, nil
}

func (p *program) works() {
	p.t.Helper()
	if err := asks(p.t.Context(), p.Account, p.r.endpoint("userinfo_endpoint")); err != nil {
		p.t.Errorf("the program does not work: %v", err)
	}
}

// recovers waits until the program works: it looks again from time to time by
// itself, after a failure.
func (p *program) recovers() {
	p.t.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := p.token()
		if err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			p.t.Fatalf("the program does not work again: %v", err)
		}
	}
	p.works()
}

// ended checks that the grant is over: the program says that its user has to log
// in, and why. It returns the error.
func (p *program) ended() error {
	p.t.Helper()
	err := p.token()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || !errors.Is(err, client.ErrLoginRequired) || e.Code == "" || e.Temporary {
		p.t.Fatalf("the grant has ended, and the error is %v", err)
	}
	if about := p.r.profile; about != nil && about.Answer.ErrorNone == "" && !strings.Contains(err.Error(), about.Ended) {
		p.t.Errorf("the error does not say %q: %v", about.Ended, err)
	}
	return err
}

// endsOrWorks tells which of the two became of a grant.
func (p *program) endsOrWorks() (ends bool) {
	p.t.Helper()
	if err := p.token(); err == nil {
		p.works()
		return false
	}
	p.ended()
	return true
}
