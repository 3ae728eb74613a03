package command

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/forward"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A proxyRun is what the flags of a proxy say.
type proxyRun struct {
	app    *app
	listen string
	unix   string
	pages  []string
}

func (a *app) proxy() *cobra.Command {
	r := &proxyRun{app: a}
	c := &cobra.Command{
		Use:   "proxy URL",
		Short: "Lend the token to programs that know nothing of it, for one API",
		Long: `Forward requests to the API at URL, with the access token of an account, until ^C. It
goes to that host and nowhere else. Answers are streamed, and WebSockets pass.

The proxy listens on this machine only, where other users and the pages in your
browser can reach it, too. So it serves only who knows a secret, which is new for each
run: as a bearer token, as the password of any user, or as the first part of the path.
It does not go on to the API. Web pages are refused whatever they know, but for those
that --page names.

With --unix there is a socket instead, which belongs to you, and no secret.`,
		Example: `  regrant proxy https://api.example.com
  regrant proxy --unix ~/api.sock https://api.example.com &
  curl --unix-socket ~/api.sock http://api/me
  regrant proxy --json https://api.example.com/v2   # {"url": …, "address": …, "secret": …}`,
		Args: exactlyOne("the URL of the API"),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c.Context(), args[0]) },
	}
	f := c.Flags()
	f.StringVar(&r.listen, "listen", "127.0.0.1:0", "where to listen, on this machine; port 0: any")
	f.StringVar(&r.unix, "unix", "", "listen on a socket of this name instead")
	f.StringArrayVar(&r.pages, "page", nil, "the origin of a web page that may use it, again for each")
	c.MarkFlagsMutuallyExclusive("listen", "unix")
	c.MarkFlagsMutuallyExclusive("page", "unix")
	return c
}

func (r *proxyRun) run(ctx context.Context, upstream string) error {
	to, err := forward.Upstream(upstream)
	if err != nil {
		return exit.With(exit.Usage, "regrant proxy --help", err)
	}
	return r.app.in(ctx, session.Options{Background: true}, func(s *session.Session) error {
		me := s.Client.Account(r.app.accountName())
		if _, err := s.Source(r.app.accountName()).Token(ctx); err != nil { // what cannot work is said before anybody is served
			return r.app.explain(err)
		}
		t := me.Transport(s.API)
		t.Origins = []string{forward.Origin(to)}
		p := &forward.Proxy{Upstream: to, Transport: t, Pages: r.pages, Failed: r.failed, Refused: func(q *http.Request) { r.refused(q.Context(), me) }}
		listener, err := r.open(p)
		if err != nil {
			return exit.With(exit.Usage, "", err)
		}
		if err := r.announce(p, listener); err != nil {
			return errors.Join(err, listener.Close())
		}
		return serve(ctx, p, listener)
	})
}

func (r *proxyRun) open(p *forward.Proxy) (l net.Listener, err error) {
	if r.unix != "" {
		return forward.ListenUnix(r.unix)
	}
	p.Secret = forward.NewSecret()
	l, p.Hosts, err = forward.Listen(r.listen)
	return l, err
}

// announce says where the proxy is: to a program one line, to a person how to use it.
func (r *proxyRun) announce(p *forward.Proxy, l net.Listener) error {
	a := r.app
	address := "http://" + l.Addr().String()
	if r.unix != "" {
		address = "unix:" + r.unix
	}
	base := address
	if p.Secret != "" {
		base += "/" + p.Secret
	}
	switch {
	case a.json:
		return a.ui.Out.JSON(struct {
			URL      string `json:"url"`
			Address  string `json:"address"`
			Secret   string `json:"secret,omitempty"`
			Upstream string `json:"upstream"`
		}{base, address, p.Secret, p.Upstream.String()})
	case !a.ui.Out.Terminal():
		a.ui.Out.Println(base)
		return nil
	}
	out := a.ui.Out
	out.Printf("Forwarding to %s with the token of %s, until ^C.\n\n", ui.Bold(ui.Text(p.Upstream.String(), 200)), ui.Bold(ui.Name(a.accountName())))
	out.Printf("  address  %s\n", ui.Accent(address))
	if p.Secret != "" {
		out.Printf("  secret   %s\n\n", ui.Accent(p.Secret))
		out.Printf("Give the secret as a bearer token or as a password, or put it into the address:\n\n  %s\n\n", ui.Accent(base))
		out.Printf("%s\n", ui.Faint("It ends with this program. In the arguments of a command all users can see it: curl --config -"))
	}
	return nil
}

// failed answers for the upstream. A program sees a gateway that failed; a person at
// the terminal of the proxy, what to do.
func (r *proxyRun) failed(w http.ResponseWriter, q *http.Request, err error) {
	if q.Context().Err() != nil {
		return // nobody listens
	}
	err = r.app.explain(err)
	_ = r.app.report(err)
	code, hint := exit.Of(err)
	status := http.StatusBadGateway
	var e *client.Error
	switch {
	case code == exit.LoginRequired:
	case errors.As(err, &e) && e.Temporary:
		status = http.StatusServiceUnavailable
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
		}
	}
	http.Error(w, "regrant: "+message(err)+"\nnext: "+ui.Text(hint, 500), status)
}

// refused tells the person at the terminal why the API refuses the token, if the grant
// has ended. What the API says goes to the program as it is.
func (r *proxyRun) refused(ctx context.Context, me *client.Account) {
	if status, err := me.Status(ctx); err == nil && errors.Is(status.Err, client.ErrLoginRequired) {
		_ = r.app.report(r.app.explain(status.Err))
	}
}

// serve serves until ctx ends, which is how it is meant to end. What is under way then
// has a moment.
func serve(ctx context.Context, p *forward.Proxy, l net.Listener) error {
	server := &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) }}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		if server.Shutdown(last) != nil {
			return server.Close() // streams have no end
		}
		return nil
	}
}
