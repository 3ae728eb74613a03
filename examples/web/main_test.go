package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAPortThatIsTakenNamesTheFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var errs bytes.Buffer
	if status := run(t.Context(), []string{"-addr", l.Addr().String()}, io.Discard, &errs); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if said := errs.String(); !strings.Contains(said, "in use") || !strings.Contains(said, "-addr") {
		t.Errorf("it says %q", said)
	}
}

func TestWrongFlagsSayWhatToDo(t *testing.T) {
	for args, want := range map[string]string{
		"-store oracle":           "sqlite, postgresql or redis",
		"-issuer https://a.b":     "-client-id",
		"-client-id x":            "need -issuer",
		"-url https://a.b/path":   "scheme and host alone",
		"-url ftp://a.b":          "scheme and host alone",
		"-job 1ms":                "-job",
		"serve":                   "is no flag",
		"-nonsense":               "lists the flags",
		"-connect ...":            "letter or a digit",
		"-connect A -connect a":   "another one",
		"-client-secret-file /no": "-client-secret-file",
		"-issuer https://a.b -client-id x -api x -store redis": "REDIS_URL",
		"-store postgresql": "DATABASE_URL",
	} {
		t.Setenv("REDIS_URL", "")
		t.Setenv("DATABASE_URL", "")
		var errs bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		status := run(ctx, append([]string{"-addr", "127.0.0.1:0", "-data", t.TempDir()}, strings.Fields(args)...), io.Discard, &errs)
		if status == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: status %d, %q does not say %q", args, status, &errs, want)
		}
	}
	var help bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, io.Discard, &help); status != 0 || !strings.Contains(help.String(), "backchannel-logout") {
		t.Errorf("-h: status %d, %q", status, &help)
	}
}

func TestGrantsAndSessionsSurviveARestart(t *testing.T) {
	as := clienttest.NewServer(t)
	dir := t.TempDir()
	t.Setenv(secretVariable, clienttest.ConfidentialSecret)
	args := []string{
		"-data", dir, "-issuer", as.Issuer(), "-client-id", clienttest.ConfidentialClient, "-api", as.URL(clienttest.APIPath),
		"-connect", "Office", "-connect", "Home=openid offline_access email",
	}
	// Both runs have one address, which the system gives to no connection meanwhile.
	addr := "127.0.0.1:" + strconv.Itoa(5000+rand.IntN(5000))
	var alice *browser
	t.Run("first", func(t *testing.T) {
		w := start(t, append(args, "-addr", addr)...)
		alice = w.browserAt(as, "alice")
		w.want(alice.post("/signin"), 200, "You are signed in.")
		w.want(alice.post("/connections/office/connect"), 200, "Office is connected.")
		w.want(alice.post("/connections/home/connect"), 200, "Home is connected.", "All 3 work.")
	})
	t.Run("second", func(t *testing.T) {
		w := start(t, append(args, "-addr", addr)...)
		alice.w = w
		w.want(alice.get("/"), 200, "<b>alice</b>", "All 3 work.")
		w.want(alice.get("/connections/home"), 200, "email", "alice/home")
	})
	token := as.LiveRefreshToken("alice")
	if token == "" {
		t.Fatal("no refresh token lives")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(token)) || bytes.Contains(data, []byte(clienttest.ConfidentialSecret)) {
			t.Errorf("%s shows a secret", name)
		}
		if info, _ := os.Stat(name); filepath.Base(name) == "key" && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("the key is for %v to read", info.Mode())
		}
	}
	if len(files) < 2 {
		t.Errorf("only %v is kept", files)
	}
}

func TestASignalEndsItWell(t *testing.T) {
	ctx, signal := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-v"}, out, t.Output())
		out.Close()
	}()
	lines := bufio.NewScanner(in)
	lines.Scan()
	url, found := strings.CutPrefix(lines.Text(), "Open ")
	if url, _, _ = strings.Cut(url, " "); !found {
		t.Fatalf("it says %q", lines.Text())
	}
	go io.Copy(io.Discard, in)
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	signal()
	if status := <-ended; status != 0 || resp.StatusCode != http.StatusOK {
		t.Errorf("exit status %d, the page was %s", status, resp.Status)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still answers")
	}
}
