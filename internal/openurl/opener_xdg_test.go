//go:build unix && !darwin

package openurl_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/openurl"
)

const page = "https://example.com/authorize?scope=a%20b&state=$(id);'x'&x=*#top"

// A machine is a PATH of its own and an environment without any browser.
type machine struct{ bin, notes string }

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{bin: t.TempDir(), notes: t.TempDir()}
	t.Setenv("PATH", m.bin)
	for _, name := range []string{"BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} {
		t.Setenv(name, "")
	}
	return m
}

// install puts a command on the PATH. It notes its arguments, one a line, and
// then runs script.
func (m machine) install(t *testing.T, name, script string) string {
	t.Helper()
	path := filepath.Join(m.bin, name)
	text := "#!/bin/sh\nPATH=/usr/bin:/bin\nfor a in \"$@\"; do echo \"$a\"; done >" + m.note(name) + "\n" + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func (m machine) note(name string) string { return filepath.Join(m.notes, name) }

// read waits until a command has noted something.
func (m machine) read(t *testing.T, name string) string {
	t.Helper()
	for range 500 {
		if data, err := os.ReadFile(m.note(name)); err == nil && strings.HasSuffix(string(data), "\n") {
			return strings.TrimSuffix(string(data), "\n")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s noted nothing", name)
	return ""
}

func (m machine) silent(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(m.note(name)); err == nil {
		t.Errorf("%s was started", name)
	}
}

func TestTheBrowserGetsTheURLAsItIs(t *testing.T) {
	for _, tc := range []struct {
		name    string
		env     map[string]string
		command string
		want    string
	}{
		{"X11", map[string]string{"DISPLAY": ":0"}, "xdg-open", page},
		{"Wayland", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open", page},
		{"WSL", map[string]string{"WSL_DISTRO_NAME": "Debian"}, "wslview", page},
		{"WSL with a display", map[string]string{"WSL_DISTRO_NAME": "Debian", "DISPLAY": ":0"}, "wslview", page},
		{"WSL without wslu", map[string]string{"WSL_DISTRO_NAME": "Debian"}, "rundll32.exe", "url.dll,FileProtocolHandler\n" + page},
		{"BROWSER", map[string]string{"BROWSER": "my-browser", "DISPLAY": ":0"}, "my-browser", page},
		{"BROWSER without a display", map[string]string{"BROWSER": "my-browser"}, "my-browser", page},
		{"BROWSER that does not exist", map[string]string{"BROWSER": "none", "DISPLAY": ":0"}, "xdg-open", page},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t)
			m.install(t, tc.command, "")
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			if err := openurl.Open(t.Context(), page); err != nil {
				t.Fatal(err)
			}
			if got := m.read(t, tc.command); got != tc.want {
				t.Errorf("%s was called with %q, want %q", tc.command, got, tc.want)
			}
		})
	}
}

func TestBROWSERMayBeAnAbsolutePath(t *testing.T) {
	m := newMachine(t)
	t.Setenv("BROWSER", m.install(t, "helper.sh", ""))
	t.Setenv("PATH", "")
	if err := openurl.Open(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	if got := m.read(t, "helper.sh"); got != page {
		t.Errorf("it was called with %q", got)
	}
}

func TestBROWSERIsNotInterpreted(t *testing.T) {
	for _, value := range []string{
		"victim %s", "victim:other", "victim;victim", "$(victim)", "`victim`", "victim&", "victim|victim", "./victim", "bin/victim", "'victim'",
	} {
		t.Run(value, func(t *testing.T) {
			m := newMachine(t)
			m.install(t, "victim", "")
			t.Chdir(m.bin)
			t.Setenv("BROWSER", value)
			if err := openurl.Open(t.Context(), page); err == nil {
				t.Error("Open says that it opened a browser")
			}
			m.silent(t, "victim")
		})
	}
}

func TestWhereNoBrowserOpensOpenSaysSoAndStartsNothing(t *testing.T) {
	t.Run("no display", func(t *testing.T) {
		m := newMachine(t)
		m.install(t, "xdg-open", "")
		err := openurl.Open(t.Context(), page)
		if err == nil || !strings.Contains(err.Error(), "no browser can be opened here: there is no display") {
			t.Errorf("Open = %v", err)
		}
		m.silent(t, "xdg-open")
	})
	t.Run("no xdg-open", func(t *testing.T) {
		newMachine(t)
		t.Setenv("DISPLAY", ":0")
		err := openurl.Open(t.Context(), page)
		if err == nil || !strings.Contains(err.Error(), "no browser can be opened here: xdg-open is not installed") {
			t.Errorf("Open = %v", err)
		}
	})
}

func TestACommandThatFailsSoonIsAnError(t *testing.T) {
	m := newMachine(t)
	t.Setenv("DISPLAY", ":0")
	m.install(t, "xdg-open", "exit 3")
	err := openurl.Open(t.Context(), page)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 {
		t.Fatalf("Open = %v, want exit status 3", err)
	}
	if want := "xdg-open did not open the browser: exit status 3"; err.Error() != want {
		t.Errorf("Open = %q, want %q", err, want)
	}
}

func TestACommandThatIsTheBrowserLivesOnAndIsNoZombieLater(t *testing.T) {
	m := newMachine(t)
	t.Setenv("DISPLAY", ":0")
	m.install(t, "xdg-open", "echo $$ >"+m.note("pid")+"\nexec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	if err := openurl.Open(ctx, page); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(m.read(t, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	time.Sleep(50 * time.Millisecond)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the browser did not outlive the context: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 500 { // a zombie would still take a signal
		if err := syscall.Kill(pid, 0); err == syscall.ESRCH {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the ended command is still there, as a zombie")
}

func TestOpenWaitsNoLongerThanItsContext(t *testing.T) {
	m := newMachine(t)
	t.Setenv("DISPLAY", ":0")
	m.install(t, "xdg-open", "echo $$ >"+m.note("pid")+"\nexec sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() { opened <- openurl.Open(ctx, page) }()
	pid, err := strconv.Atoi(m.read(t, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}

func TestAnEndedContextStartsNothing(t *testing.T) {
	m := newMachine(t)
	t.Setenv("DISPLAY", ":0")
	m.install(t, "xdg-open", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := openurl.Open(ctx, page); !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
	m.silent(t, "xdg-open")
}

func TestTheCommandHasNoTerminal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	m := newMachine(t)
	t.Setenv("DISPLAY", ":0")
	m.install(t, "xdg-open", `exec 3>&1
{ echo $$; cut -d " " -f 6 /proc/$$/stat; readlink /proc/$$/fd/0 /proc/$$/fd/3 /proc/$$/fd/2; } >`+m.note("found"))
	if err := openurl.Open(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	found := strings.Split(m.read(t, "found"), "\n")
	if len(found) != 5 {
		t.Fatalf("found %q", found)
	}
	if found[0] != found[1] {
		t.Errorf("process %s is in session %s: a Ctrl-C would reach it", found[0], found[1])
	}
	for _, file := range found[2:] {
		if file != os.DevNull {
			t.Errorf("a standard file is %s, want %s", file, os.DevNull)
		}
	}
}
