package main_test

import (
	"crypto/rand"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheQuickstartRunsCleanAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "-duration", "6s", "-goroutines", "8", "-processes", "3")
	if status := r.wait(t); status != 0 {
		t.Errorf("the exit status is %d, and should be 0", status)
	}
	if left := r.leaves(t); left != nil {
		t.Errorf("it left %q behind", left)
	}
	if errs := r.errs.String(); errs != "" {
		t.Errorf("it complained: %s", errs)
	}
	for _, line := range []string{
		`main +logged in as alice +0$`,
		`p[-1-3 ]+ found the grant: no login`,
		`p[123] +sends the refresh token; it is rotated`,
		`p[123] +killed before it could keep generation \d+`,
		`p[123] +recovered the rotation after .* s +\d+ `,
		`main +logged out: the grant is revoked, then deleted$`,
		`server +has forgotten alice's grant: no refresh token of it works$`,
		`^    ok +[\d,]+  calls made `,
		`^    ok +0  calls failed `,
		`^    ok +1  logins$`,
		`^    ok +0  refresh tokens refused as reused$`,
		`^    ok +1  rotations recovered after a kill `,
		`^    ok +1  token requests per expiry +\d+ for \d+, and 1 died with p[123]$`,
		`^    ok +0  grants left after the logout$`,
		`^Clean: `,
	} {
		if !regexp.MustCompile(`(?m)` + line).MatchString(r.out.String()) {
			t.Errorf("no line is like %s", line)
		}
	}
	if strings.Contains(r.out.String(), "\x1b") {
		t.Error("it printed colours, and not to a terminal")
	}
	for line := range strings.Lines(r.out.String()) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("this line does not fit into 80 columns: %s", line)
		}
	}
}

// The server is that of the test, which so knows every secret, and what really
// happened.
func TestNoSecretIsPrintedAndTheKillHitsARotation(t *testing.T) {
	t.Parallel()
	secret := rand.Text()
	var mu sync.Mutex
	canaries := map[string]string{secret: "client secret"}
	s, err := clienttest.Start(clienttest.Options{
		Clients:             []clienttest.Client{{ID: "quickstart", Secret: secret}},
		AccessTokenLifetime: 2 * time.Second,
		Grace:               time.Minute,
		Tamper: func(_ clienttest.Exchange, answer map[string]any) {
			mu.Lock()
			defer mu.Unlock()
			for _, name := range []string{"access_token", "refresh_token", "id_token", "code"} {
				if value, ok := answer[name].(string); ok {
					canaries[value] = name
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(self, " ") {
		t.Skip("the test is in a directory with a space in its name, at which -open splits the command")
	}

	r := start(t, []string{"QUICKSTART_SECRET=" + secret},
		"-issuer", s.Issuer(), "-client-id", "quickstart", "-client-secret-env", "QUICKSTART_SECRET",
		"-open", self+" "+userArg, "-kill", "-duration", "5s", "-goroutines", "4", "-every", "100ms", "-processes", "2")
	if status := r.wait(t); status != 0 {
		t.Errorf("the exit status is %d, and should be 0", status)
	}
	if left := r.leaves(t); left != nil {
		t.Errorf("it left %q behind", left)
	}
	again := 0
	for _, x := range s.Exchanges() {
		if x.Path == clienttest.TokenPath {
			canaries[x.Form.Get("code_verifier")] = "code verifier"
		}
		if x.GrantType == "refresh_token" && s.Spent(x.RefreshToken) == 2 {
			again++
		}
	}
	delete(canaries, "")
	if again != 2 || s.Reused() != 0 {
		t.Errorf("%d requests share a refresh token, and should be two, the one whose sender was killed and the one that recovered; %d were refused as reused", again, s.Reused())
	}
	if s.FamilyAlive("alice") {
		t.Error("the grant is alive after the logout")
	}
	if len(canaries) < 8 {
		t.Errorf("only %d secrets are known; is the test still looking at the right place?", len(canaries))
	}
	for value, name := range canaries {
		if strings.Contains(r.out.String()+r.errs.String(), value) {
			t.Errorf("it printed a secret: the %s", name)
		}
	}
}

func TestWhatIsNotCleanIsSaidAndFails(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "-grace", "0", "-duration", "4s", "-goroutines", "2", "-processes", "2")
	if status := r.wait(t); status != 1 {
		t.Errorf("the exit status is %d, and should be 1: without a grace period a kill in mid-rotation loses the login", status)
	}
	for _, said := range []string{
		"quickstart: not clean: ", "calls failed: ", "refresh tokens refused as reused: 1, should be none",
		"rotations recovered after a kill: 0, should be one",
	} {
		if !strings.Contains(r.errs.String(), said) {
			t.Errorf("it did not say %q", said)
		}
	}
	if !strings.Contains(r.out.String(), "the answer to an earlier renewal") {
		t.Error("it did not say that an answer was lost")
	}
	if left := r.leaves(t); left != nil {
		t.Errorf("it left %q behind", left)
	}
}

func TestCtrlCLeavesNothingBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can send another one a Ctrl-C there")
	}
	t.Parallel()
	r := start(t, nil, "-goroutines", "2", "-processes", "2")
	r.until(t, "found the grant")
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := r.wait(t); status != 130 {
		t.Errorf("the exit status is %d, and should be 130", status)
	}
	if !strings.Contains(r.out.String(), "logged out: the grant is revoked") {
		t.Error("the user is still logged in")
	}
	if left := r.leaves(t); left != nil {
		t.Errorf("it left %q behind", left)
	}
}

func TestNoProcessOutlivesMain(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "-goroutines", "2", "-processes", "2")
	r.until(t, "found the grant")
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait(t) // for all of them
}

func TestWrongFlagsAreRefusedAllAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, flags, said string }{
		{"nobody to recover", "-processes 1", "use -processes 2 or more, or -kill=false"},
		{"no client", "-issuer https://as.example", "-issuer needs -client-id"},
		{"no issuer", "-client-id x -scopes openid", "-scopes needs -issuer"},
		{"a knob of our own server", "-issuer https://as.example -client-id x -grace 1s", "-grace is for the quickstart's own server"},
		{"an empty secret", "-issuer https://as.example -client-id x -client-secret-env QUICKSTART_UNSET", "the environment variable QUICKSTART_UNSET is empty"},
		{"two things", "-every 0s -client-id x", "must be positive\n-client-id needs -issuer"},
		{"no flag", "surprise", `"surprise" is not a flag`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, nil, strings.Fields(c.flags)...)
			if status := r.wait(t); status != 2 {
				t.Errorf("the exit status is %d, and should be 2", status)
			}
			if !strings.Contains(r.errs.String(), c.said) {
				t.Errorf("it did not say %q", c.said)
			}
		})
	}
}
