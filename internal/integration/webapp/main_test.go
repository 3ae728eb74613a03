// Package webapp_test uses examples/web as people do: in Chromium.
package webapp_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/lab"
)

func TestMain(m *testing.M) { lab.Main(m, nil) }

// build builds examples/web, as its users see it.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "web")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(lab.Root(t), "examples", "web")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// An application is a running examples/web.
type application struct {
	URL string
}

// start starts the program, with servers of its own unless args say otherwise. It
// is ended as people end it, and has to end well.
func start(t *testing.T, program string, args ...string) *application {
	t.Helper()
	return startWith(t, nil, program, args...)
}

// startWith is start with more variables in the environment.
func startWith(t *testing.T, env []string, program string, args ...string) *application {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, over := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
				url, _, _ := strings.Cut(rest, " ")
				found <- url
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-over
		if err := cmd.Wait(); err != nil {
			t.Errorf("the application: %v", err)
		}
	})
	select {
	case url := <-found:
		return &application{url}
	case <-over:
		t.Fatal("the application has ended at once")
	case <-time.After(patience):
		t.Fatal("the application does not start")
	}
	return nil
}
