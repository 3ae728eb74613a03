package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	addr    string
	url     string
	store   string
	data    string
	verbose bool

	keepAlive time.Duration
	idle      time.Duration
	job       time.Duration

	issuer      string
	clientID    string
	secretFile  string
	scopes      string
	connect     connections
	api         string
	afterLogout bool

	secret string // from secretFile, or secretVariable
}

// secretVariable may hold the client secret: arguments are for everybody to read.
const secretVariable = "REGRANT_WEB_CLIENT_SECRET"

// connections are what users of a real server can connect, beside the sign-in.
type connections []struct{ title, scopes string }

func (c *connections) String() string { return "" }

// Set takes TITLE or TITLE=SCOPES.
func (c *connections) Set(value string) error {
	title, scopes, _ := strings.Cut(value, "=")
	if slug(title) == "" || slices.ContainsFunc(*c, func(o struct{ title, scopes string }) bool { return slug(o.title) == slug(title) }) {
		return errors.New("the title needs a letter or a digit, and each has to be another one")
	}
	*c = append(*c, struct{ title, scopes string }{title, scopes})
	return nil
}

// slug is a title as it stands in a URL.
func slug(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
}

const about = `A web application whose users sign in at one server and connect accounts at
others; it shows how their grants are doing, and works while they are away.

  web                                with servers of its own: open the page, pick a user
  web -issuer URL -client-id ID      with a real server. Register there
                                       URL/signin/callback and
                                       URL/connections/account/callback
                                     where URL is what -url says, and, if the end of
                                     the session there shall end the sign-in here,
                                       URL/backchannel-logout

The client secret comes from the variable ` + secretVariable + `, or from
a file. What is kept is sealed with the key in the file "key" below -data.

Exit status: 0 Ctrl-C; 1 an error; 2 flags.

Flags:
`

func parse(args []string, errs io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("web", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {
		f.SetOutput(errs)
		fmt.Fprint(errs, about)
		f.PrintDefaults()
		f.SetOutput(io.Discard)
	}
	f.StringVar(&o.addr, "addr", "127.0.0.1:8642", "`address` to listen at; port 0 is any free one")
	f.StringVar(&o.url, "url", "", "`URL` under which browsers reach it, if a proxy stands before it\n(default http:// and the address)")
	f.StringVar(&o.store, "store", "sqlite", "where grants are kept: sqlite (a file below -data),\npostgresql (DATABASE_URL says where) or redis (REDIS_URL)")
	f.StringVar(&o.data, "data", "", "`directory` of the key and of the SQLite file (default: a temporary one\nwith its own servers, else regrant-web in the user's configuration directory)")
	f.DurationVar(&o.keepAlive, "keep-alive", 0, "time between two runs that keep idle grants alive (default 12h; 2m with\nits own servers)")
	f.DurationVar(&o.idle, "idle", 0, "renew what nobody has renewed for so long (default 24h; 3m with its own\nservers)")
	f.DurationVar(&o.job, "job", 2*time.Minute, "how long the offline job goes on")
	f.BoolVar(&o.verbose, "v", false, "log every event, not only what goes wrong")
	f.StringVar(&o.issuer, "issuer", "", "a real server instead of its own: its issuer `URL`, with discovery")
	f.StringVar(&o.clientID, "client-id", "", "`ID` of a client there")
	f.StringVar(&o.secretFile, "client-secret-file", "", "`file` that holds its secret (default: the variable "+secretVariable+";\nwithout either it is a public client)")
	f.StringVar(&o.scopes, "scopes", "", "`scopes` to ask for, by spaces (default openid and offline_access)")
	f.Var(&o.connect, "connect", "what users can connect there, as `TITLE` or TITLE=SCOPES; may be repeated\n(default Account)")
	f.StringVar(&o.api, "api", "", "`URL` that the job calls with GET (default: the userinfo endpoint)")
	f.BoolVar(&o.afterLogout, "after-logout", false, "the server has URL/signed-out registered as post_logout_redirect_uri")
	if err := f.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = fmt.Errorf("%w (web -h lists the flags)", err)
		}
		return nil, err
	}
	return o, errors.Join(o.check(f.Args()), o.readSecret())
}

func (o *options) check(rest []string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(rest) > 0 {
		bad("%q is no flag", rest[0])
	}
	if !slices.Contains([]string{"sqlite", "postgresql", "redis"}, o.store) {
		bad("-store %q: choose sqlite, postgresql or redis", o.store)
	}
	if o.url != "" {
		u, err := url.Parse(o.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			bad("-url %q: give scheme and host alone, such as https://app.example.com", o.url)
		}
	}
	if o.job < time.Second || o.keepAlive < 0 || o.idle < 0 {
		bad("-job is at least 1s, and -keep-alive and -idle are not negative")
	}
	switch {
	case o.issuer != "" && o.clientID == "":
		bad("-issuer needs -client-id: register the application there")
	case o.issuer == "" && o.clientID+o.secretFile+o.scopes+o.api != "", o.issuer == "" && (o.connect != nil || o.afterLogout):
		bad("the flags of a real server need -issuer")
	}
	pick := func(d *time.Duration, demo, other time.Duration) {
		if *d == 0 && o.issuer == "" {
			*d = demo
		} else if *d == 0 {
			*d = other
		}
	}
	pick(&o.keepAlive, 2*time.Minute, 12*time.Hour)
	pick(&o.idle, 3*time.Minute, 24*time.Hour)
	if o.connect == nil {
		_ = o.connect.Set("Account") // a good title
	}
	return errors.Join(errs...)
}

func (o *options) readSecret() error {
	if o.secret = os.Getenv(secretVariable); o.secretFile == "" {
		return nil
	}
	data, err := os.ReadFile(o.secretFile)
	if err != nil {
		return fmt.Errorf("-client-secret-file: %w", err)
	}
	if o.secret = string(bytes.TrimSpace(data)); o.secret == "" {
		return fmt.Errorf("-client-secret-file: %s is empty", o.secretFile)
	}
	return nil
}
