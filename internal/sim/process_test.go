package sim

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
)

// A process is one run of a program: a Client of its own over the shared store.
// It dies by standing still for ever at its next step to the outside; what it
// had under way may still arrive.
type process struct {
	w      *world
	id     int
	slot   int
	chance chance
	client *client.Client
	me     *client.Account

	dead    bool
	diedAt  time.Time
	closing bool
	stopped chan struct{} // not nil: closed when it goes on
	stalls  time.Time     // when it was last held up: stopped, or by its store

	// What the script of a history has planned.
	cues    map[string]func(*message) // by the moment
	due     fault                     // the next
	planned bool                      // there is one
	down    time.Time                 // until then no call of the store takes effect

	note notes
}

var errOver = errors.New("sim: the run is over")

// start starts a process in a slot; w.mu is not held, or nobody else runs.
func (w *world) start(slot int) {
	w.started++
	p := &process{w: w, id: w.started, slot: slot, chance: newChance(w.seed, uint64(w.started))}
	p.note.init()
	cfg := client.Config{
		Issuer:        issuer,
		ClientID:      w.key.ClientID,
		Endpoint:      oauth2.Endpoint{TokenURL: issuer + "/token"},
		RevocationURL: issuer + "/revoke",
		Background:    w.sc.background,
		Store:         &desk{p},
		// Not a multiple of the heartbeat: both would be due at one instant.
		HTTPClient: &http.Client{Transport: p, Timeout: 30*time.Second - time.Duration(7919*p.id)},
		OnEvent: func(_ context.Context, e client.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.heard(e)
		},
	}
	if w.sc.lock[slot] {
		cfg.Store = &lockingDesk{&desk{p}}
	}
	c, err := client.New(cfg)
	if err != nil {
		panic(err)
	}
	p.client, p.me = c, c.Account(w.key.Account)
	w.live[slot] = p
	w.all = append(w.all, p)
	w.note(p, "starts")
}

// employ starts the users of a process; w.mu is held.
func (p *process) employ() {
	for range p.w.sc.users {
		c := newChance(p.chance.Uint64(), 1)
		p.w.busy.Go(func() { p.use(c) })
	}
}

// gate is where a process stops when it is stopped; false: for ever. Goroutines
// that are held there go on one after another.
func (p *process) gate() bool {
	for {
		p.w.mu.Lock()
		dead, stopped, ended := p.dead, p.stopped, p.w.ended
		turn := time.Duration(0)
		if stopped != nil {
			turn = p.chance.between(time.Microsecond, time.Millisecond)
		}
		p.w.mu.Unlock()
		switch {
		case ended:
			return false
		case dead:
			<-p.w.over
			return false
		case stopped == nil:
			return true
		}
		select {
		case <-stopped:
			sleep(turn)
		case <-p.w.over:
		}
	}
}

func (p *process) paused() bool { return p.stopped != nil }

// stop is SIGSTOP, with SIGCONT after d; w.mu is held.
func (p *process) stop(d time.Duration) {
	if p.stopped != nil || p.dead {
		return
	}
	p.w.note(p, "stops for %v", d)
	c := make(chan struct{})
	p.stopped = c
	p.stalls = time.Now()
	time.AfterFunc(d, func() {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		if p.stopped == c {
			p.resume()
		}
	})
}

func (p *process) resume() {
	if p.stopped != nil {
		p.w.note(p, "goes on")
		p.stalls = time.Now()
		close(p.stopped)
		p.stopped = nil
	}
}

// die is SIGKILL; another process starts some time later. w.mu is held.
func (p *process) die() {
	if p.dead || p.closing {
		return
	}
	p.w.note(p, "dies")
	p.dead, p.diedAt = true, time.Now()
	if p.stopped != nil {
		close(p.stopped)
		p.stopped = nil
	}
	p.w.place.abandon(p)
	p.w.replace(p)
}

// replace starts another process where p was.
func (w *world) replace(p *process) {
	w.live[p.slot] = nil
	time.AfterFunc(w.chance.between(time.Millisecond, 20*time.Second), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.ended && w.live[p.slot] == nil {
			w.start(p.slot)
			if !w.calm {
				w.live[p.slot].employ()
			}
		}
	})
}

// retire ends a process as it should end. w.mu is held.
func (p *process) retire() {
	w := p.w
	w.note(p, "closes")
	p.closing = true
	w.replace(p)
	moment := p.chance.between(time.Microsecond, time.Millisecond)
	w.busy.Go(func() {
		err := p.client.Close()
		sleep(moment) // its callers hear first
		w.mu.Lock()
		defer w.mu.Unlock()
		w.note(p, "closed: %v", err)
		p.dead, p.diedAt = true, time.Now()
		p.told(err)
		w.place.abandon(p)
	})
}

func (p *process) gone() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead || p.closing || p.w.calm || p.w.ended || p.w.violation != ""
}

// use is a user of the program, until it ends or the trouble does.
func (p *process) use(c chance) {
	sc := &p.w.sc
	for {
		sleep(c.between(time.Millisecond, pick(c, time.Second, sc.lifetime/2, sc.lifetime)))
		if !p.gate() || p.gone() {
			return
		}
		switch {
		case sc.action[imports] && c.one(8):
			_ = p.importOld(context.Background())
		case sc.action[ensures] && c.one(8):
			p.ensure(c)
		case sc.action[login] && c.one(15):
			p.logIn()
		case sc.action[logout] && c.one(25):
			p.logOut()
		case sc.action[refreshes] && c.one(6):
			p.refresh(c)
		default:
			p.token(c)
		}
	}
}

// token asks for a token, and uses it.
func (p *process) token(c chance) {
	ctx := context.Background()
	if c.one(3) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.between(time.Millisecond, 20*time.Second))
		defer cancel()
	}
	p.asks(ctx, c, "Token", nil)
}

func (p *process) refresh(c chance) {
	var rejected *oauth2.Token
	if c.one(2) {
		p.w.mu.Lock()
		rejected = p.note.token
		p.w.mu.Unlock()
	}
	p.asks(context.Background(), c, "Refresh", rejected)
}

// asks calls Token or Refresh, judges what comes, and uses it. c is the user's
// own: one flight may serve two users in one instant.
func (p *process) asks(ctx context.Context, c chance, what string, rejected *oauth2.Token) error {
	call := p.begin(ctx, what)
	var (
		t   *oauth2.Token
		err error
	)
	if what == "Refresh" {
		t, err = p.me.Refresh(ctx, rejected)
	} else {
		t, err = p.me.Token(ctx)
	}
	if !p.gate() {
		return errOver
	}
	p.w.mu.Lock()
	call.end(t, err)
	p.w.mu.Unlock()
	if t != nil && c.one(2) && !p.api(c, t) && what == "Token" { // a 401
		return p.asks(ctx, c, "Refresh", t)
	}
	return err
}

// api makes a request to the API.
func (p *process) api(c chance, t *oauth2.Token) (ok bool) {
	sleep(c.between(time.Microsecond, 50*time.Millisecond))
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	ok = p.w.as.api(t.AccessToken)
	if !ok {
		p.w.note(p, "the API refuses %s", t.AccessToken)
	}
	return ok
}

// logIn logs in at the server.
func (p *process) logIn() {
	call := p.begin(context.Background(), "Login")
	err := p.me.Login(context.Background(), client.Password{
		Read: func(context.Context) (string, string, error) { return "alice", "password", nil },
	})
	p.finish(call, err)
}

func (p *process) ensure(c chance) {
	ctx, cancel := context.WithTimeout(context.Background(), c.between(time.Second, time.Minute))
	defer cancel()
	call := p.begin(ctx, "Ensure")
	err := p.me.Ensure(ctx, client.Password{
		Read: func(context.Context) (string, string, error) { return "alice", "password", nil },
	})
	p.finish(call, err)
}

// importOld brings the grant that the first of these calls was given.
func (p *process) importOld(ctx context.Context) error {
	call := p.begin(ctx, "Import")
	err := p.me.Login(ctx, client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		if p.w.oldToken == "" {
			p.w.oldToken = p.w.as.login().refresh
		}
		return &oauth2.Token{RefreshToken: p.w.oldToken}, nil
	}))
	p.finish(call, err)
	return err
}

func (p *process) logOut() {
	call := p.begin(context.Background(), "Logout")
	_, err := p.me.Logout(context.Background())
	p.finish(call, err)
}

func (p *process) finish(call *call, err error) {
	if !p.gate() {
		return
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	call.end(nil, err)
}

// heard checks an event.
func (p *process) heard(e client.Event) {
	p.w.note(p, "event %v, generation %d: %v", e.Kind, e.Generation, e.Err)
	p.told(e.Err)
}

// told checks that a text holds no secret.
func (p *process) told(err error) {
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		p.w.violated(p, "10 no secret in any text", "%v", err)
	}
}
