package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/call"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/transport"
)

// A callRun is what the flags of a call say.
type callRun struct {
	app     *app
	request call.Request
	include bool
	head    bool
	output  string
	fail    bool
	silent  bool
	maxTime time.Duration
}

func (a *app) call() *cobra.Command {
	r := &callRun{app: a}
	c := &cobra.Command{
		Use:   "call URL",
		Short: "Call an API with the token of an account, as curl does",
		Long: `Send a request to an API with the access token of an account, and write the answer.
The token is renewed if need be, also if the API refuses it; it goes to the host of
URL and nowhere else, over https or to this machine.

Programs get the bytes of the answer as they are. On a terminal JSON is indented, and
control characters are shown instead of obeyed.`,
		Example: `  regrant call https://api.example.com/me
  regrant call https://api.example.com/things -d '{"name":"thing"}'
  regrant call -X PUT https://api.example.com/files/1 -d @photo.jpg -H 'Content-Type: image/jpeg'
  tar c . | regrant call --fail https://api.example.com/backup -d @-
  regrant call https://api.example.com/export -o export.json`,
		Args: func(c *cobra.Command, args []string) error {
			if a.json && len(args) == 2 {
				return jsonIsNoBody()
			}
			return exactlyOne("the URL")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			r.request.URL = args[0]
			r.request.In = a.ui.In
			if r.head {
				r.request.Method, r.include = http.MethodHead, true
			}
			return r.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVarP(&r.request.Method, "request", "X", "", "the method; none: GET, or POST with --data")
	f.StringArrayVarP(&r.request.Headers, "header", "H", nil, "a header NAME: VALUE, or @FILE with one on each line")
	f.StringArrayVarP(&r.request.Data, "data", "d", nil, "the body: text, @FILE, or @- for the standard input; several are joined by &")
	f.BoolVarP(&r.include, "include", "i", false, "write the status and the headers, too")
	f.BoolVarP(&r.head, "head", "I", false, "ask for the headers only")
	f.StringVarP(&r.output, "output", "o", "", "write the body to a file")
	f.BoolVarP(&r.fail, "fail", "f", false, "end with exit code 22 if the status is 400 or above; the body is written all the same")
	f.BoolVarP(&r.silent, "silent", "s", false, "show no progress of long transfers")
	f.DurationVarP(&r.maxTime, "max-time", "m", 0, "give up after that long; 0: never")
	c.MarkFlagsMutuallyExclusive("head", "request")
	c.MarkFlagsMutuallyExclusive("head", "data")
	return c
}

// jsonIsNoBody is for those who know --json from curl.
func jsonIsNoBody() error {
	return exit.Usagef("regrant call URL -d BODY", "--json is how regrant itself writes: the body of a request goes behind -d, and needs no more to be sent as JSON")
}

func (r *callRun) run(ctx context.Context) error {
	if r.maxTime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, r.maxTime)
		defer stop()
	}
	req, err := r.request.New(ctx)
	if err != nil {
		return exit.With(exit.Usage, "regrant call --help", err)
	}
	err = r.app.in(ctx, session.Options{}, func(s *session.Session) error {
		return r.send(s, req)
	})
	if r.maxTime > 0 && errors.Is(err, context.DeadlineExceeded) {
		return exit.With(exit.TryLater, "try again, and give it longer: --max-time "+(2*r.maxTime).String(), err)
	}
	return err
}

func (r *callRun) send(s *session.Session, req *http.Request) error {
	a := r.app
	meter := call.NewMeter(a.ui)
	defer meter.Clear()
	if req.Body != nil && r.metered() {
		req.Body = struct {
			io.Reader
			io.Closer
		}{meter.Reader("sent", req.Body, req.ContentLength), req.Body}
	}
	s.API = session.Waiting(s.API, a.ui, req.URL.String())
	resp, err := s.HTTPClient(a.accountName()).Do(req)
	if err != nil {
		code, _ := exit.Of(err)
		if better := call.WithScheme(req.URL.Host + req.URL.EscapedPath()); code == exit.Failure && req.URL.Scheme == "http" && strings.HasPrefix(better, "https:") {
			return exit.With(code, "regrant call "+better, err)
		}
		return a.explain(err)
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if r.metered() {
		body = meter.Reader("got", body, resp.ContentLength)
	}
	if err := r.write(resp, body); err != nil {
		return err
	}
	meter.Clear()
	if a.ui.Out.Terminal() && !r.include && !r.fail && resp.StatusCode >= http.StatusBadRequest {
		a.sayf("%s The API answered %s.", ui.Warn("!"), ui.Text(resp.Status, 100))
	}
	if resp.StatusCode == http.StatusUnauthorized {
		// The end of the grant says more than the answer of the API.
		status, err := s.Client.Account(a.accountName()).Status(req.Context())
		if err == nil && errors.Is(status.Err, client.ErrLoginRequired) {
			return a.explain(status.Err)
		}
	}
	r.advise(s, resp)
	if r.fail && resp.StatusCode >= http.StatusBadRequest {
		return exit.With(exit.HTTP, "", errors.New("the API answered "+resp.Status))
	}
	return nil
}

// metered tells whether somebody watches a transfer whose bytes go elsewhere.
func (r *callRun) metered() bool {
	return !r.silent && r.app.ui.Err.Lively() && (r.output != "" || !r.app.ui.Out.Terminal())
}

// write writes an answer where it is wanted.
func (r *callRun) write(resp *http.Response, body io.Reader) (err error) {
	out := r.app.ui.Out
	if r.include {
		if err := r.writeHead(resp); err != nil {
			return err
		}
	}
	switch {
	case r.output != "" && r.output != "-":
		f, err := os.Create(r.output)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		return cutOff(errors.Join(err, f.Close()))
	case !out.Terminal():
		_, err := io.Copy(out.Raw(), body)
		return cutOff(err)
	}
	err = call.ToTerminal(out.Raw(), resp, body)
	if errors.Is(err, call.ErrBinary) {
		return exit.With(exit.Usage, "-o FILE, or a pipe", err)
	}
	return cutOff(err)
}

func (r *callRun) writeHead(resp *http.Response) error {
	w := r.app.ui.Out.Raw()
	if r.app.ui.Out.Terminal() {
		w = ui.Visible(w)
	}
	_, err := io.WriteString(w, call.Head(resp))
	return err
}

// cutOff says what became of an answer that has no end.
func cutOff(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the answer was cut off: %w", err)
}

// advise says what a refusal means, to whoever reads it (RFC 6750 section 3.1, RFC
// 9470). The answer itself is written as it is.
func (r *callRun) advise(s *session.Session, resp *http.Response) {
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return
	}
	a := r.app
	for _, c := range transport.Challenges(resp) {
		switch c.Params["error"] {
		case "insufficient_scope":
			wanted := strings.Fields(c.Params["scope"])
			if command := a.askFor(resp.Request.Context(), s, wanted...); len(wanted) > 0 && command != "" {
				a.sayf("%s The API wants the scope %s: %s", ui.Warn("!"), ui.Bold(ui.Text(c.Params["scope"], 200)), ui.Accent(command))
			}
		case "insufficient_user_authentication":
			wanted := map[string]string{}
			for _, name := range []string{"acr_values", "max_age"} {
				if v := c.Params[name]; v != "" && len(v) <= 200 {
					wanted[name] = v
				}
			}
			a.sayf("%s The API wants a stronger login: %s", ui.Warn("!"), ui.Accent(a.loginCommand(login.Params(s.Profile, wanted)...)))
		case "invalid_token":
			a.sayf("%s The API refuses the token, also after a renewal: does it trust %s?", ui.Warn("!"), "the server that you have logged in at")
		}
	}
}
