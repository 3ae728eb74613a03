// Package call makes one request to an API and shows the answer, as curl does: the
// bytes as they are for programs, and what can be read for people.
package call

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// A Request is what the command line says about a request.
type Request struct {
	URL     string
	Method  string   // "": GET, or POST if there is a body
	Headers []string // NAME: VALUE, or @FILE with one on each line
	Data    []string // of the body: text, @FILE, or @- for In; several are joined by &
	In      io.Reader
}

// New returns the request to send. Its body can be sent again after a 401, unless it
// comes from In.
func (r *Request) New(ctx context.Context) (*http.Request, error) {
	u, err := address(r.URL)
	if err != nil {
		return nil, err
	}
	method := strings.ToUpper(r.Method)
	switch {
	case method != "":
	case r.Data != nil:
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return nil, err
	}
	if err := r.header(req); err != nil {
		return nil, err
	}
	return req, r.body(req)
}

// WithScheme is what the user means by a host without a scheme: http on this machine,
// https everywhere else.
func WithScheme(text string) string {
	if strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse("http://" + text)
	if err == nil {
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return "http://" + text
		}
	}
	return "https://" + text
}

// address is what the user means by a URL, perhaps without a scheme.
func address(text string) (string, error) {
	u, err := url.Parse(WithScheme(text))
	if err != nil || u.Host == "" {
		return "", errors.New("this is no URL of an API: it has the form https://HOST/PATH")
	}
	if u.User != nil {
		return "", errors.New("a URL with a user in it is not for a token")
	}
	return u.String(), nil
}

func (r *Request) header(req *http.Request) error {
	for _, line := range r.Headers {
		lines := []string{line}
		if file, ok := strings.CutPrefix(line, "@"); ok {
			data, err := os.ReadFile(file) //nolint:gosec // the user names it
			if err != nil {
				return err
			}
			lines = slices.DeleteFunc(strings.Split(string(data), "\n"), func(s string) bool { return strings.TrimSpace(s) == "" })
		}
		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
			switch {
			case !ok:
				return errors.New("a header has the form NAME: VALUE")
			case name == "Authorization":
				return errors.New("the header Authorization is for the token of the account")
			case name == "Host":
				req.Host = value
			default:
				req.Header.Add(name, value)
			}
		}
	}
	return nil
}

// body gives the request a body.
func (r *Request) body(req *http.Request) error {
	if r.Data == nil {
		return nil
	}
	if len(r.Data) == 1 && r.Data[0] == "@-" {
		req.Body, req.ContentLength = io.NopCloser(r.In), -1
		kind(req, nil)
		return nil
	}
	if file, ok := strings.CutPrefix(r.Data[0], "@"); ok && len(r.Data) == 1 {
		return fromFile(req, file)
	}
	var data []byte
	for i, part := range r.Data {
		if i > 0 {
			data = append(data, '&')
		}
		more := []byte(part)
		if file, ok := strings.CutPrefix(part, "@"); ok {
			var err error
			if more, err = os.ReadFile(file); err != nil { //nolint:gosec // the user names it
				return err
			}
		}
		data = append(data, more...)
	}
	req.ContentLength = int64(len(data))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	req.Body, _ = req.GetBody() // it cannot fail
	kind(req, data)
	return nil
}

func fromFile(req *http.Request, file string) (err error) {
	req.GetBody = func() (io.ReadCloser, error) { return os.Open(file) } //nolint:gosec // the user names it
	if req.Body, err = req.GetBody(); err != nil {
		return err
	}
	f := req.Body.(*os.File)
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if req.ContentLength = info.Size(); !info.Mode().IsRegular() {
		req.ContentLength = -1
	}
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		n = 0 // a pipe
	}
	kind(req, head[:n])
	return nil
}

// kind says what the body is, unless a header does: JSON if it looks like it, else
// what a form sends.
func kind(req *http.Request, data []byte) {
	if req.Header.Get("Content-Type") != "" {
		return
	}
	start := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		req.Header.Set("Content-Type", "application/json")
	case data == nil:
		req.Header.Set("Content-Type", "application/octet-stream")
	default:
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

// Head is the status line and the header of an answer, as HTTP/1.1 writes them.
func Head(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", resp.Proto, resp.Status)
	names := make([]string, 0, len(resp.Header))
	for name := range resp.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range resp.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	return b.String()
}
