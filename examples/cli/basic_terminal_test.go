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
)

func TestLoginOnATerminalAsksForAPassphraseTwice(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t).with("REGRANT_PASSPHRASE_FILE=")
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file")
	x.see("New passphrase")
	x.press("one" + enter)
	x.see("The same again")
	x.press("two" + enter)
	x.see("two different passphrases")
	x.see("Try again.\nNew passphrase")
	x.press("right" + enter)
	x.see("Try again.\nNew passphrase for the grants of this machine:\nThe same again")
	x.press("right" + enter)
	if code := x.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	x.golden("login-passphrase")

	x = h.open(80, 24, "status")
	x.see("Passphrase of the grants")
	x.press("wrong" + enter)
	x.see("Try again.\nPassphrase")
	x.press("right" + enter)
	x.see("fresh")
}

var userCode = regexp.MustCompile(`[A-Z0-9]{4}-[A-Z0-9]{4}`)

func TestDeviceLoginShowsACodeAQRCodeAndACountdown(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.DeviceInterval = time.Second })
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file", "--device")
	x.see("waiting for you")
	x.golden("login-device")
	if err := s.ApproveDevice(userCode.FindString(x.text()), "bob"); err != nil {
		t.Fatal(err)
	}
	x.see("Logged in as bob")
	if code := x.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestATerminalGetsNoTokenUnlessForced(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	x := h.open(80, 24, "token")
	if code := x.wait(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	x.golden("token-refused")
	x = h.open(80, 24, "token", "--force")
	if code := x.wait(); code != 0 || len(x.text()) < 10 {
		t.Errorf("exit code %d, %s", code, x.text())
	}
}

func TestCtrlCLeavesTheTerminalAsItWas(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.LoginPage = true }) // the browser stops there
	for _, args := range [][]string{{"--device"}, {"--code"}, {"--password"}, {}} {
		x := h.open(80, 40, append([]string{"login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file"}, args...)...)
		x.see(map[string]string{"--device": "waiting for you", "--code": "Paste the address", "--password": "User name", "": "login page"}[append(args, "")[0]])
		x.press(ctrlC)
		if code := x.wait(); code != 130 {
			t.Errorf("%v: exit code %d, want 130:\n%s", args, code, x.text())
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
	x.see("of 1.0 MiB")
	x.see("left")
	close(seen)
	if code := x.wait(); code != 0 || strings.TrimSpace(x.text()) != "" {
		t.Errorf("exit code %d, and what is left is\n%s", code, x.text())
	}
	if info, err := os.Stat(h.path("file")); err != nil || info.Size() != total {
		t.Errorf("%v, %v", info, err)
	}
}
