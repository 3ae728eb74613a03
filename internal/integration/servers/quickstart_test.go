package servers_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

// The quickstart is what a newcomer sees first. It exits with status 0 only if
// its summary is clean.
func TestTheQuickstartIsCleanAtARealServer(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, "AT_TTL=3")
	program := filepath.Join(t.TempDir(), "quickstart")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/quickstart")
	build.Dir = lab.Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program,
		"-issuer", p.Issuer, "-client-id", lab.PublicClient, "-open", strings.Join(lab.UserCommand(t), " "),
		"-duration", "12s", "-goroutines", "8", "-every", "200ms").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the quickstart: %v", err)
	}
	n := 0
	for _, r := range p.Requests() {
		if r.Path == "/token" {
			n++
		}
	}
	if n < 4 { // the login, and several expiries
		t.Errorf("it made %d token requests only", n)
	}
}
