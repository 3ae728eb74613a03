//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

func TestLoginOnATerminalAsksForAPassphraseTwice(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t).with("REGRANT_PASSPHRASE_FILE=")
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file")
	x.See("New passphrase")
	x.Press("one" + terminal.Enter)
	x.See("The same again")
	x.Press("two" + terminal.Enter)
	x.See("two different passphrases")
	x.See("Try again.\nNew passphrase")
	x.Press("right" + terminal.Enter)
	x.See("Try again.\nNew passphrase for the grants of this machine:\nThe same again")
	x.Press("right" + terminal.Enter)
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	x.Golden("login-passphrase")

	x = h.open(80, 24, "status")
	x.See("Passphrase of the grants")
	x.Press("wrong" + terminal.Enter)
	x.See("Try again.\nPassphrase")
	x.Press("right" + terminal.Enter)
	x.See("fresh")
}

var userCode = regexp.MustCompile(`[A-Z0-9]{4}-[A-Z0-9]{4}`)

func TestDeviceLoginShowsACodeAQRCodeAndACountdown(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.DeviceInterval = time.Second })
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file", "--device")
	x.See("waiting for you")
	x.Golden("login-device")
	if err := s.ApproveDevice(userCode.FindString(x.Text()), "bob"); err != nil {
		t.Fatal(err)
	}
	x.See("Logged in as bob")
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestAPasswordLoginAsksOnTheTerminalAndShowsNoPassword(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) {
		o.Users = []clienttest.User{{Account: "alice", Password: "correct horse"}}
	})
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file", "--password")
	x.See("User name:")
	x.Press("alice" + terminal.Enter)
	x.See("Password:")
	x.Press("correct horse" + terminal.Enter)
	if code := x.Wait(); code != 0 || strings.Contains(x.Written(), "correct") {
		t.Errorf("exit code %d:\n%s", code, x.Written())
	}
	x.Golden("login-password")
	h.must("token", "--refresh")
	if err := secretsIn(h.dir, "correct horse", ""); err != nil {
		t.Error(err)
	}

	x = h.open(80, 24, "login", "--password", "--as", "other")
	x.See("User name:")
	x.Press("alice" + terminal.Enter)
	x.See("Password:")
	x.Press("wrong" + terminal.Enter)
	if code := x.Wait(); code != 5 {
		t.Errorf("a wrong password: exit code %d:\n%s", code, x.Text())
	}
	contains(t, h.must("accounts").out, "default")
	if strings.Contains(h.must("accounts").out, "other") {
		t.Error("a wrong password has made an account")
	}
}

func TestATerminalGetsNoTokenUnlessForced(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	x := h.open(80, 24, "token")
	if code := x.Wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	x.Golden("token-refused")
	x = h.open(80, 24, "token", "--force")
	if code := x.Wait(); code != 0 || len(x.Text()) < 10 {
		t.Errorf("exit code %d, %s", code, x.Text())
	}
}

func TestCtrlCLeavesTheTerminalAsItWas(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.LoginPage = true }) // the browser stops there
	for _, args := range [][]string{{"--device"}, {"--code"}, {"--password"}, {}} {
		x := h.open(80, 40, append([]string{"login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file"}, args...)...)
		x.See(map[string]string{"--device": "waiting for you", "--code": "Paste the address", "--password": "User name", "": "login page"}[append(args, "")[0]])
		x.Press(terminal.CtrlC)
		if code := x.Wait(); code != 130 {
			t.Errorf("%v: exit code %d, want 130:\n%s", args, code, x.Text())
		}
	}
}

func TestALongTransferShowsHowFarItHasCome(t *testing.T) {
	s, h := serveAPI(t, nil)
	seen := make(chan struct{})
	const total = 1 << 20
	api := httptest.NewServer(s.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(total))
		for sent, done := 0, false; sent < total; {
			n := 1024
			if done {
				n = total - sent
			}
			sent += n
			_, _ = w.Write(make([]byte, n))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-seen:
				done = true
			case <-time.After(50 * time.Millisecond):
			}
		}
	})))
	defer api.Close()
	x := h.open(90, 10, "call", api.URL, "-o", "file")
	x.See("of 1.0 MiB")
	x.See("left")
	close(seen)
	if code := x.Wait(); code != 0 || strings.TrimSpace(x.Text()) != "" {
		t.Errorf("exit code %d, and what is left is\n%s", code, x.Text())
	}
	if info, err := os.Stat(h.path("file")); err != nil || info.Size() != total {
		t.Errorf("%v, %v", info, err)
	}
}
