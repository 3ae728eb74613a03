package lab

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A member is a process of a server: the command that it runs, and where.
type member struct {
	pid  int
	argv []string
	env  []string
	dir  string
}

// members returns the processes of a group, its leader first.
func members(group int) ([]member, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var all []member
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if pgid, err := syscall.Getpgid(pid); err != nil || pgid != group {
			continue
		}
		argv, err1 := os.ReadFile(filepath.Join(dir, "cmdline"))
		env, err2 := os.ReadFile(filepath.Join(dir, "environ"))
		cwd, err3 := os.Readlink(filepath.Join(dir, "cwd"))
		if err := errors.Join(err1, err2, err3); err != nil || len(argv) == 0 {
			continue // it has ended meanwhile
		}
		m := member{pid, split(argv), split(env), cwd}
		if pid == group {
			all = append([]member{m}, all...)
		} else {
			all = append(all, m)
		}
	}
	if len(all) == 0 || all[0].pid != group {
		return nil, fmt.Errorf("process group %d has no leader", group)
	}
	return all, nil
}

func split(list []byte) []string {
	return strings.Split(strings.TrimRight(string(list), "\x00"), "\x00")
}

// kill kills the processes of the server as kill -9 does, and returns what starts
// them again as they were started, over what they have left.
func (s *server) kill(t testing.TB) (again func()) {
	t.Helper()
	group, err := strconv.Atoi(s.vars["PID"])
	if err != nil {
		t.Fatal(err)
	}
	all, err := members(group)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-group, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); s.answers(t); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the server goes on although it was killed")
		}
	}
	return func() {
		t.Helper()
		if err := s.startAgain(all); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); !s.answers(t); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatal("the server does not answer after its restart")
			}
		}
	}
}

// startAgain starts the processes in a group of their own, which stop.sh ends.
func (s *server) startAgain(all []member) error {
	group := 0
	for _, m := range all {
		log, err := os.OpenFile(filepath.Join(s.vars["DATA"], "log"), os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		cmd := exec.Command(m.argv[0], m.argv[1:]...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = m.env, m.dir, log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		err = cmd.Start()
		_ = log.Close()
		if err != nil {
			return err
		}
		go func() { _ = cmd.Wait() }() // reaps it when stop.sh has ended it
		if group == 0 {
			group = cmd.Process.Pid
			s.vars["PID"] = strconv.Itoa(group)
			if err := os.WriteFile(filepath.Join(s.vars["DATA"], "pid"), []byte(s.vars["PID"]+"\n"), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// answers tells whether the server publishes its metadata.
func (s *server) answers(t testing.TB) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.vars["ISSUER"], "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
