package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A server is one that a script of the lab has started.
type server struct {
	vars map[string]string // what the script says: PID, ISSUER, DATA
}

// scripts returns the directory with the scripts that start real servers: a
// neighbour of the repository, or REGRANT_SERVERS.
func scripts(t testing.TB) (dir string, missing error) {
	t.Helper()
	if dir = os.Getenv("REGRANT_SERVERS"); dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "servers")
	}
	// Resolved, because node does nothing at all for a script that is reached
	// through a symbolic link and asks whether it is the main one.
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir, fmt.Errorf("%w: set REGRANT_SERVERS to the directory with the scripts that start servers", err)
	}
	return resolved, nil
}

// start starts the server that needs these commands, and ports consecutive ports.
// Its service is missing if the scripts or a command are. knobs are what the
// script knows, as NAME=VALUE.
func start(t testing.TB, service string, ports int, commands, knobs []string) *server {
	t.Helper()
	dir, missing := scripts(t)
	if runtime.GOOS != "linux" {
		missing = errors.Join(missing, errors.New("the scripts run on Linux"))
	}
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			missing = errors.Join(missing, fmt.Errorf("%w: install it", err))
		}
	}
	Require(t, service, missing)

	var problem error
	for range 3 { // another process may take the port in between
		line, err := launch(filepath.Join(dir, "start-"+service+".sh"), reservePorts(t, ports), knobs)
		if err != nil {
			problem = err
			continue
		}
		s := &server{vars: map[string]string{}}
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			s.vars[name] = value
		}
		t.Cleanup(func() {
			if out, err := exec.Command(filepath.Join(dir, "stop.sh"), s.vars["PID"]).CombinedOutput(); err != nil {
				t.Errorf("%s goes on: %v: %s", service, err, out)
			}
		})
		return s
	}
	t.Fatal(problem)
	return nil
}

func launch(script string, port int, knobs []string) (line string, err error) {
	// The first start installs the server.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, script, strconv.Itoa(port))
	cmd.Env = append(os.Environ(), knobs...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(script), err, &stderr)
	}
	return string(out), nil
}

// UserCommand returns the command that is a scripted user, but for the URL that
// it opens, which comes last: it logs in as alice, agrees, and requests the
// callback, whose URL it prints.
func UserCommand(t testing.TB) []string {
	t.Helper()
	dir, missing := scripts(t)
	if missing != nil {
		t.Fatal(missing)
	}
	return []string{"node", filepath.Join(dir, "browser.mjs")}
}

// User runs the scripted user. args are flags: --deny, --no-callback, or --fill
// and NAME=VALUE.
func User(t testing.TB, url string, args ...string) (callback string, err error) {
	t.Helper()
	command := append(append(UserCommand(t), args...), url)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("the user's browser: %w: %s", err, &stderr)
	}
	return strings.TrimSpace(string(out)), err
}
