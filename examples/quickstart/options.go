package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	duration   time.Duration
	goroutines int
	processes  int
	every      time.Duration
	kill       bool

	lifetime time.Duration
	grace    time.Duration
	browser  bool

	issuer    string
	clientID  string
	secretEnv string
	redirect  string
	scopes    string
	params    string
	api       string
	open      string

	secret string     // of secretEnv
	ask    url.Values // of params
}

const about = `Logs a user in and calls a protected API through several expiries: from many
goroutines, then from several processes on one store, one of which is killed in
the middle of a rotation. Prints a timeline and a summary.

Exit status: 0 clean; 1 not clean, it says which line; 2 flags; 130 Ctrl-C.

  quickstart                      with its own server, and a scripted user
  quickstart -browser             with its own server; you log in
  quickstart -issuer URL -client-id ID
                                  with a real server; you log in. Its refresh
                                  tokens should rotate, and its access tokens
                                  should not outlive -duration by far, or no
                                  token expires. At the end it logs you out.

Flags:
`

func parse(args []string, errs io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Usage = func() {
		fmt.Fprint(errs, about)
		f.PrintDefaults()
	}
	f.DurationVar(&o.duration, "duration", 12*time.Second, "how long to call the API, longer if a recovery is due")
	f.IntVar(&o.goroutines, "goroutines", 32, "callers in each process")
	f.IntVar(&o.processes, "processes", 4, "processes that share the store, after the one that logs in")
	f.DurationVar(&o.every, "every", 0, "average pause between calls (default 100ms, 5s with -issuer)")
	f.BoolVar(&o.kill, "kill", true, "kill a process in the middle of a rotation. Off with -issuer: at a\nserver without a grace period that loses the login")
	f.DurationVar(&o.lifetime, "lifetime", 3*time.Second, "of access tokens; not with -issuer")
	f.DurationVar(&o.grace, "grace", 10*time.Second, "how long a used refresh token can be used again;\nnot with -issuer")
	f.BoolVar(&o.browser, "browser", false, "log in with your own browser, as you do with -issuer")
	f.StringVar(&o.issuer, "issuer", "", "a real server instead: its issuer `URL`, with discovery")
	f.StringVar(&o.clientID, "client-id", "", "`ID` of a client there")
	f.StringVar(&o.secretEnv, "client-secret-env", "", "`name` of the environment variable that holds its secret")
	f.StringVar(&o.redirect, "redirect", "", "loopback `URL` registered there (default http://127.0.0.1/callback)")
	f.StringVar(&o.scopes, "scopes", "", "`scopes` to ask for, by spaces (default openid offline_access)")
	f.StringVar(&o.params, "params", "", "`query` to add to the authorization request: access_type=offline")
	f.StringVar(&o.api, "api", "", "`URL` to call with GET (default: the userinfo endpoint of the server)")
	f.StringVar(&o.open, "open", "", "`command` that is the user. It is split at spaces, gets the URL of the\nlogin page as its last argument, and requests the callback:\n-open 'node browser.mjs --user alice'")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.defaults(given)
	if err := o.check(f.Args(), given); err != nil {
		fmt.Fprintf(errs, "quickstart: %v\nquickstart -h lists the flags.\n", err)
		return nil, err
	}
	return o, nil
}

// defaults fills in what depends on whether the server is a real one.
func (o *options) defaults(given map[string]bool) {
	if o.real() && !given["kill"] {
		o.kill = false
	}
	switch {
	case given["every"]:
	case o.real():
		o.every = 5 * time.Second // it is somebody's
	default:
		o.every = 100 * time.Millisecond
	}
}

// real tells whether the server is not our own.
func (o *options) real() bool { return o.issuer != "" }

func (o *options) check(rest []string, given map[string]bool) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(rest) > 0 {
		bad("%q is not a flag", rest[0])
	}
	if o.duration <= 0 || o.goroutines < 1 || o.processes < 1 || o.every <= 0 {
		bad("-duration, -goroutines, -processes and -every must be positive")
	}
	if o.kill && o.processes < 2 {
		bad("killing the only process leaves nobody to recover: use -processes 2 or more, or -kill=false")
	}
	if o.lifetime < time.Second || o.grace < 0 {
		bad("-lifetime must be a second or more, and -grace not negative")
	}
	ours, theirs := []string{"lifetime", "grace", "browser"}, []string{"client-id", "client-secret-env", "redirect", "scopes", "params", "open"}
	for _, name := range ours {
		if o.real() && given[name] {
			bad("-%s is for the quickstart's own server", name)
		}
	}
	for _, name := range theirs {
		if !o.real() && given[name] {
			bad("-%s needs -issuer", name)
		}
	}
	if o.real() && o.clientID == "" {
		bad("-issuer needs -client-id: register this program at the server")
	}
	if o.secretEnv != "" {
		if o.secret = os.Getenv(o.secretEnv); o.secret == "" {
			bad("-client-secret-env: the environment variable %s is empty", o.secretEnv)
		}
	}
	var err error
	if o.ask, err = url.ParseQuery(o.params); err != nil {
		bad("-params is not a query")
	}
	return errors.Join(errs...)
}

// command is what -open names, if it does.
func (o *options) command() []string { return strings.Fields(o.open) }
