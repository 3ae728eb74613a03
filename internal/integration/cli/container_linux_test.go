package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// container is a machine with nothing but the program: no variables, no home, no
// temporary directory, no keychain, no certificates, no shell, no terminal. It takes root;
// without it the service "chroot" is missing.
func container(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, program: "/regrant", dir: "/", root: t.TempDir(), env: []string{}}
	// Linked statically as with CGO_ENABLED=0, without compiling all of it anew.
	err := build(filepath.Join(m.root, m.program), "-ldflags=-linkmode=external -extldflags=-static")
	if err != nil {
		err = fmt.Errorf("the program cannot be linked statically (%w): install gcc and libc6-dev", err)
	} else if o := m.run("--version"); o.code != 0 {
		err = fmt.Errorf("the program cannot have a root of its own (%s): run the tests as root", o.err)
	}
	lab.Require(t, "chroot", err)
	return m
}

// TestInAnEmptyContainerEachErrorTellsTheNextStep: whoever does what the errors say is
// logged in at last.
func TestInAnEmptyContainerEachErrorTellsTheNextStep(t *testing.T) {
	t.Parallel()
	s, m := clienttest.NewServer(t), container(t)
	s.Set(func(o *clienttest.Options) { o.DeviceInterval = time.Second })
	login := []string{"login", s.Issuer(), "--client-id", clienttest.PublicClient}
	refused := func(code int, next string, args ...string) {
		t.Helper()
		o := m.run(args...)
		if _, hint, _ := strings.Cut(o.err, "\n   next: "); o.code != code || !strings.Contains(hint, next) {
			t.Errorf("regrant %v: exit code %d, want %d; the hint has no %q:\n%s", args, o.code, code, next, o.err)
		}
	}

	for _, args := range [][]string{login, {"token"}, {"status"}, {"call", s.URL(clienttest.APIPath)}} {
		refused(5, "set HOME", args...)
	}
	m.env = append(m.env, "HOME=/home")

	if err := os.WriteFile(filepath.Join(m.root, "passphrase"), []byte("bm90IGEgc2VjcmV0LCBidXQgMzIgYnl0ZXMgbG9uZyE="), 0o600); err != nil {
		t.Fatal(err)
	}

	// It is no authority's here, and there is none.
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	refused(4, "regrant doctor "+stranger.URL, "login", stranger.URL, "--client-id", "x", "--store", "file", "--passphrase-file", "/passphrase")
	if o := m.run("doctor", stranger.URL); o.code != 5 || !strings.Contains(o.out, "install ca-certificates") {
		t.Errorf("doctor: exit code %d, says\n%s%s", o.code, o.out, o.err)
	}

	refused(3, "regrant login https://ISSUER --client-id ID", "token")
	if o := m.must("status"); !strings.Contains(o.err, "regrant login https://ISSUER --client-id ID") {
		t.Errorf("status says %s", o.err)
	}
	refused(6, "--store file", login...)
	login = append(login, "--store", "file")
	refused(6, "REGRANT_PASSPHRASE_FILE", login...)
	m.env = append(m.env, "REGRANT_PASSPHRASE_FILE=/passphrase")
	refused(1, "--device", login...)
	converse(t, m, append(login, "--device"), func(said *bufio.Scanner, _ io.Writer) error {
		_ = next(said) // the page
		return s.ApproveDevice(next(said), "alice")
	})

	m.must("token")
	m.must("call", "--fail", s.URL(clienttest.APIPath))
	if o := m.must("status"); !strings.Contains(o.out, "fresh") {
		t.Errorf("the status is %s", o.out)
	}
}
