package client

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/internal/secureurl"
)

// A pending login is what the user's browser keeps between BeginLogin and
// FinishLogin, sealed: any machine that has the Sealer can finish what another
// began, and no machine has to remember anything.
type pending struct {
	State     string    `json:"state"`
	Nonce     string    `json:"nonce,omitempty"`
	Verifier  string    `json:"verifier"`
	Account   string    `json:"account,omitempty"`
	Requested []string  `json:"requested,omitempty"`
	Consent   bool      `json:"consent,omitempty"` // the user was sent to the consent screen
	ReturnTo  string    `json:"return_to,omitempty"`
	Began     time.Time `json:"began"`
}

const (
	// loginTime is how long the user may take.
	loginTime = 10 * time.Minute
	// maxPending bounds how many logins one browser may have begun: more tabs
	// than anybody uses, and fewer cookies than the headers of a server hold.
	maxPending = 8
	// maxCookie is what every browser takes (RFC 6265 section 6.1), name and
	// attributes included.
	maxCookie = 4096 - 256
)

// A cookieJar reads and writes the pending logins of one browser: a cookie each,
// so that the tabs of a browser do not disturb each other. Their names tell of
// which client they are: a program may have one for each server that its users
// connect.
type cookieJar struct {
	client *Client
	prefix string // of the names
	secure bool
}

// cookies returns the jar that suits Config.RedirectURL. The prefix __Host- makes
// the browser refuse a cookie that a neighbouring domain, or somebody on a plain
// http connection, tries to plant (RFC 6265bis section 4.1.3.2). On loopback there
// is no https, and so no such prefix.
func (c *Client) cookies() (*cookieJar, error) {
	u, err := secureurl.Parse(c.cfg.RedirectURL)
	if err != nil {
		return nil, errors.New("Config.RedirectURL " + err.Error())
	}
	sum := sha256.Sum256([]byte(c.cfg.key("").String()))
	j := &cookieJar{client: c, prefix: "regrant-login-" + hex.EncodeToString(sum[:4]) + "-"}
	if j.secure = u.Scheme == "https"; j.secure {
		j.prefix = "__Host-" + j.prefix
	}
	return j, nil
}

// name returns the name of the cookie for a login. It tells nothing of the state,
// which is the browser's secret.
func (j *cookieJar) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return j.prefix + hex.EncodeToString(sum[:8])
}

// associated binds a cookie to its name and to this client. No record is sealed
// with such associated data.
func (j *cookieJar) associated(name string) []byte {
	return []byte("regrant login cookie:" + name + ":" + j.client.cfg.key("").String())
}

func (j *cookieJar) cookie(name, value string, maxAge time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: name, Value: value, Path: "/", MaxAge: int(maxAge / time.Second), Secure: j.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // Strict would keep it from the redirect that ends the login
	}
}

// put gives the browser a pending login, and makes room for it.
func (j *cookieJar) put(w http.ResponseWriter, r *http.Request, p *pending) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	name := j.name(p.State)
	sealed, err := j.client.cfg.Sealer.Encrypt(data, j.associated(name))
	if err != nil {
		return err
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	if len(value) > maxCookie {
		return errors.New("the login does not fit into a cookie: ask for fewer scopes, or give the account a shorter name")
	}
	for _, old := range j.surplus(r) {
		j.remove(w, old)
	}
	http.SetCookie(w, j.cookie(name, value, loginTime))
	return nil
}

// surplus names the cookies that have to go before one more comes: those that
// mean nothing any more, and the oldest.
func (j *cookieJar) surplus(r *http.Request) (names []string) {
	type begun struct {
		name  string
		began time.Time
	}
	var all []begun
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, j.prefix) {
			p, _ := j.open(c) // the zero time is the oldest
			all = append(all, begun{c.Name, p.Began})
		}
	}
	slices.SortFunc(all, func(a, b begun) int { return a.began.Compare(b.began) })
	for i, b := range all {
		if b.began.IsZero() || i <= len(all)-maxPending {
			names = append(names, b.name)
		}
	}
	return names
}

func (j *cookieJar) remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, j.cookie(name, "", -time.Second))
}

// open reads a cookie. The error says nothing that helps who made it up.
func (j *cookieJar) open(c *http.Cookie) (pending, error) {
	var p pending
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err == nil {
		sealed, err = j.client.cfg.Sealer.Decrypt(sealed, j.associated(c.Name))
	}
	if err == nil {
		err = json.Unmarshal(sealed, &p)
	}
	if err != nil || p.State == "" || j.name(p.State) != c.Name {
		return pending{}, errors.New("its cookie cannot be read: was it made with another key?")
	}
	return p, nil
}

// take returns the pending login that a response belongs to, and removes it from
// the browser: it is good for one response.
func (j *cookieJar) take(w http.ResponseWriter, r *http.Request, response url.Values) (pending, error) {
	p, name, err := j.find(r, response)
	if name != "" {
		j.remove(w, name)
	}
	return p, err
}

// find returns the pending login that a response belongs to, and the name of its
// cookie, if there is one.
func (j *cookieJar) find(r *http.Request, response url.Values) (p pending, name string, err error) {
	state := response["state"]
	if len(state) != 1 || state[0] == "" {
		return pending{}, "", errors.New("the response has no state (RFC 6749 section 10.12)")
	}
	c, err := r.Cookie(j.name(state[0]))
	if err != nil {
		return pending{}, "", errors.New("it was finished already, took longer than 10 minutes, " +
			"or was begun in another browser, or under another host than that of Config.RedirectURL")
	}
	p, err = j.open(c)
	if err == nil && (time.Since(p.Began) > loginTime || time.Until(p.Began) > maxSkew) {
		err = errors.New("it was begun more than 10 minutes ago")
	}
	return p, c.Name, err
}
