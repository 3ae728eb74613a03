// Package doctor examines an authorization server, this machine, and how the two get
// along, and says in plain words what is wrong and how to mend it.
package doctor

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/examples/cli/internal/profile"
)

// A State is how good something is.
type State string

// The states.
const (
	Good    State = "ok"      // it works
	Note    State = "note"    // good to know
	Warning State = "warning" // something will not work as one may expect
	Problem State = "problem" // it does not work
)

// A Finding is what one examination has found.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// An Exam is what is examined.
type Exam struct {
	Profile profile.Profile   // that of the issuer, or one with its Issuer alone
	HTTP    http.RoundTripper // to the server
	Getenv  func(string) string
	Report  func(Finding) // is given each finding at once
	Login   string        // the command that logs in there

	meta      *metadata
	clockSeen bool
	provider  *provider.Profile
}

func (e *Exam) found(check string, state State, text, advice string) {
	e.Report(Finding{check, state, text, advice})
}

// patience is for one request.
const patience = 15 * time.Second

// Run examines everything that takes no login.
func (e *Exam) Run(ctx context.Context) {
	e.provider = e.Profile.Known()
	e.discover(ctx)
	if e.meta != nil {
		e.endpoints(ctx)
		e.features()
	}
	e.known()
	e.redirect(ctx)
	e.browser()
	e.keychain(ctx)
	e.directory(ctx)
}

// known tells what is known about the provider, whatever its metadata says.
func (e *Exam) known() {
	p := e.provider
	if p == nil {
		e.found("provider", Note, "nothing is known beforehand about this server: what it says of itself is all", "")
		return
	}
	e.found("provider", Good, "this is "+p.Title+"; "+cmp.Or(renewals(p), "little is known about its refresh tokens"), "")
	if p.Unsupported != "" {
		e.found("provider", Problem, "a program cannot log in there: "+p.Unsupported, "")
	}
	if p.Advice != "" {
		e.found("refresh", Note, p.Advice, "")
	}
	if p.Ended != "" {
		e.found("lifetime", Note, p.Ended, "")
	}
}

// renewals tells how refresh tokens are renewed, in a sentence.
func renewals(p *provider.Profile) string {
	text := map[provider.Rotation]string{
		provider.RotationNever:   "its refresh tokens stay the same",
		provider.RotationAlways:  "each refresh brings a new refresh token",
		provider.RotationDaily:   "a refresh brings a new refresh token about once a day",
		provider.RotationSetting: "whether a refresh brings a new refresh token is a setting of the client",
	}[p.Rotation]
	reuse := map[provider.Reuse]string{
		provider.ReuseOverlap:  "the old one goes on working",
		provider.ReuseGrace:    "the old one works for a while",
		provider.ReuseUntilUse: "the old one works until the new one is used",
		provider.ReuseStrict:   "the old one, used again, is refused, and may end the login",
	}[p.Reuse]
	if text == "" || reuse == "" || p.Rotation == provider.RotationNever {
		return text
	}
	return text + ", and " + reuse
}
