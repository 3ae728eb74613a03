package tokenendpoint_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/regrant/regrant/internal/tokenendpoint"
)

// speak listens on loopback, and serves each connection by f.
func speak(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// receive reads one whole request.
func receive(conn *bufio.Reader) error {
	req, err := http.ReadRequest(conn)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

func send(t *testing.T, base http.RoundTripper, endpoint string) error {
	t.Helper()
	form, header := request()
	a, err := rfc6749.Post(t.Context(), base, endpoint, form, header)
	if a != nil {
		t.Errorf("there is an answer: %+v", a)
	}
	return err
}

func TestNothingWasSentToAServerThatIsNotThere(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	noTLS := speak(t, func(conn net.Conn) { _, _ = conn.Write([]byte("220 smtp.example.com ESMTP\r\n")) })
	hangsUp := speak(t, func(net.Conn) {})
	noDNS := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	for _, c := range []struct {
		name string
		ctx  context.Context
		base *http.Transport
		url  string
	}{
		{"connection refused", t.Context(), &http.Transport{}, closed.URL},
		{"no such name", t.Context(), &http.Transport{DialContext: noDNS.DialContext}, "https://as.example.com"},
		{"a certificate that nobody trusts", t.Context(), &http.Transport{}, untrusted.URL},
		{"a server without TLS", t.Context(), &http.Transport{}, "https://" + noTLS},
		{"a connection that ends before TLS", t.Context(), &http.Transport{}, "https://" + hangsUp},
		{"a proxy that is not there", t.Context(), &http.Transport{Proxy: http.ProxyURL(must(url.Parse(closed.URL)))}, "https://as.example.com"},
		{"a context that has ended", ended, &http.Transport{}, "https://" + hangsUp},
		{"an endpoint that is no URL", t.Context(), &http.Transport{}, "https://as example com\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer c.base.CloseIdleConnections()
			form, header := request()
			_, err := rfc6749.Post(c.ctx, c.base, c.url, form, header)
			if e := failure(t, err); e.Outcome != tokenendpoint.NotSent || e.Status != 0 {
				t.Errorf("outcome %d status %d, want NotSent (%v)", e.Outcome, e.Status, err)
			}
			if c.ctx.Err() != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want context.Canceled", err)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatWasSentAndNotAnsweredIsLost(t *testing.T) {
	for name, f := range map[string]func(net.Conn){
		"dropped before it was read": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
		},
		"dropped after it was read": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
		},
		"reset": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
			_ = conn.(*net.TCPConn).SetLinger(0)
		},
		"an answer that ends in its header": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: appl")
		},
		"an answer that ends in its body": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+tokens)
		},
		"chunks without an end": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"acc\r\n")
		},
		"an answer that is not HTTP": func(conn net.Conn) {
			_ = receive(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "421 too many connections\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			err := send(t, base, "http://"+speak(t, f))
			if e := failure(t, err); e.Outcome != tokenendpoint.Lost {
				t.Errorf("outcome %d, want Lost (%v)", e.Outcome, err)
			}
		})
	}
}

func TestAnErrorPageThatIsCutOffIsNotALostAnswer(t *testing.T) {
	for status, want := range map[string]tokenendpoint.Outcome{
		"400 Bad Request":           tokenendpoint.Unprocessed,
		"429 Too Many Requests":     tokenendpoint.Unprocessed,
		"500 Internal Server Error": tokenendpoint.Lost,
		"503 Service Unavailable":   tokenendpoint.Unprocessed,
	} {
		t.Run(status, func(t *testing.T) {
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			err := send(t, base, "http://"+speak(t, func(conn net.Conn) {
				_ = receive(bufio.NewReader(conn))
				_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nRetry-After: 60\r\nContent-Length: 500\r\n\r\n<html>")
			}))
			if e := failure(t, err); e.Outcome != want || e.RetryAfter.Seconds() != 60 {
				t.Errorf("outcome %d after %v, want %d after 1m0s (%v)", e.Outcome, e.RetryAfter, want, err)
			}
		})
	}
}

func TestAnAnswerThatIsTooSlowEndsWithItsContext(t *testing.T) {
	for name, half := range map[string]string{"before the header": "", "in the body": tokens[:20]} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if half != "" {
					_, _ = io.WriteString(w, half)
					w.(http.Flusher).Flush()
				}
				cancel()
				<-r.Context().Done()
			}))
			defer s.Close()
			form, header := request()
			_, err := rfc6749.Post(ctx, s.Client().Transport, s.URL, form, header)
			if e := failure(t, err); e.Outcome != tokenendpoint.Lost || !errors.Is(err, context.Canceled) {
				t.Errorf("outcome %d, want Lost and context.Canceled (%v)", e.Outcome, err)
			}
		})
	}
}

// A transport that says nothing about connections may have sent the request.
func TestATransportThatKeepsSilentMayHaveSentTheRequest(t *testing.T) {
	err := send(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }), "https://as.example.com")
	if e := failure(t, err); e.Outcome != tokenendpoint.Lost {
		t.Errorf("outcome %d, want Lost", e.Outcome)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v, want the cause in it", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The server ends an idle connection while the second request is on its way: it
// may have been processed, so nobody may repeat it.
func TestARequestOnADyingConnectionIsSentOnce(t *testing.T) {
	var requests atomic.Int32
	addr := speak(t, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for receive(r) == nil {
			if requests.Add(1) > 1 {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		}
	})
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	if e := failure(t, send(t, base, "http://"+addr)); e.Status != 503 {
		t.Fatalf("status %d, want 503", e.Status)
	}
	if e := failure(t, send(t, base, "http://"+addr)); e.Outcome != tokenendpoint.Lost {
		t.Errorf("outcome %d, want Lost", e.Outcome)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("the server got %d requests, want 2", n)
	}
}

// PROTOCOL_ERROR does not say that nothing was done, but net/http takes it for
// a reason to send the request again, hundreds of times in a second.
func TestAResetStreamIsNotSentAgain(t *testing.T) {
	for name, code := range map[string]uint32{"PROTOCOL_ERROR": 1, "REFUSED_STREAM": 7} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			addr := speak(t, func(conn net.Conn) { resetStreams(conn, code, &requests) })
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(true)
			base := &http.Transport{Protocols: protocols}
			defer base.CloseIdleConnections()
			err := send(t, base, "http://"+addr)
			if e := failure(t, err); e.Outcome != tokenendpoint.Lost {
				t.Errorf("outcome %d, want Lost (%v)", e.Outcome, err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("the server got %d requests, want 1", n)
			}
		})
	}
}

// resetStreams is an HTTP/2 server that reads requests and answers each with
// RST_STREAM (RFC 9113 section 6.4).
func resetStreams(conn net.Conn, code uint32, requests *atomic.Int32) {
	const (
		frameHeaders, frameReset, frameSettings = 1, 3, 4
		flagEndStream                           = 1
		preface                                 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	)
	frame := func(kind, flags byte, stream uint32, payload []byte) {
		head := make([]byte, 9)
		head[2], head[3], head[4] = byte(len(payload)), kind, flags
		binary.BigEndian.PutUint32(head[5:], stream)
		_, _ = conn.Write(append(head, payload...))
	}
	if _, err := io.ReadFull(conn, make([]byte, len(preface))); err != nil {
		return
	}
	frame(frameSettings, 0, 0, nil)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return
		}
		switch kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:]); {
		case kind == frameSettings && flags == 0:
			frame(frameSettings, 1, 0, nil)
		case (kind == frameHeaders || kind == 0) && flags&flagEndStream != 0:
			requests.Add(1)
			frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
		}
	}
}

func TestARequestGoesOutAsRFC6749WantsIt(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if (r.ProtoMajor == 2) != http2 {
				t.Errorf("the request came over %s", r.Proto)
			}
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s with %q, want a POST of a form", r.Method, r.Header.Get("Content-Type"))
			}
			if accept := r.Header.Get("Accept"); accept != "application/json" {
				t.Errorf("Accept is %q", accept)
			}
			if r.URL.RawQuery != "tenant=1" {
				t.Errorf("the query is %q, want that of the endpoint and nothing else", r.URL.RawQuery)
			}
			id, secret, _ := r.BasicAuth()
			if plain(t, id) != clientID || plain(t, secret) != clientSecret {
				t.Errorf("credentials are %q and %q", id, secret)
			}
			if err := r.ParseForm(); err != nil || r.PostForm.Get("refresh_token") != refreshToken || len(r.PostForm) != 2 {
				t.Errorf("the form is %v (%v)", r.PostForm, err)
			}
			_, _ = io.WriteString(w, tokens)
		}))
		s.EnableHTTP2 = http2
		s.StartTLS()
		form, header := request()
		a, err := rfc6749.Post(t.Context(), s.Client().Transport, s.URL+"/t?tenant=1", form, header)
		if err != nil || a.RefreshToken != "rt-2" {
			t.Errorf("answer is %+v, %v", a, err)
		}
		s.Close()
	}
}

func plain(t *testing.T, s string) string {
	t.Helper()
	p, err := url.QueryUnescape(s)
	if err != nil {
		t.Error(err)
	}
	return p
}

func TestTheHeaderOfTheCallerStaysAsItIs(t *testing.T) {
	form, header := request()
	before := header.Clone()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	if _, err := rfc6749.Post(t.Context(), base, answering(t, 200, "", tokens), form, header); err != nil {
		t.Fatal(err)
	}
	if len(header) != len(before) || strings.Join(header["Authorization"], "") != strings.Join(before["Authorization"], "") {
		t.Errorf("header is %v, was %v", header, before)
	}
}
