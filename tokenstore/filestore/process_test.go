package filestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// What a process of its own is to do, and in which directory.
const (
	role  = "REGRANT_TEST_ROLE"
	place = "REGRANT_TEST_DIR"
)

func TestMain(m *testing.M) {
	roles := map[string]func(*filestore.Store) error{"increment": incrementOften, "rewrite": rewriteForever}
	if run := roles[os.Getenv(role)]; run != nil {
		if err := run(filestore.New(os.Getenv(place))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func process(ctx context.Context, what, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+what, place+"="+dir)
	return cmd
}

const (
	processes  = 8
	increments = 50
)

// incrementOften adds one to the number that is kept, many times.
func incrementOften(s *filestore.Store) error {
	for done := 0; done < increments; {
		_, err := increment(s)
		if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
		if err == nil {
			done++
		}
	}
	return nil
}

func increment(s *filestore.Store) (n int, err error) {
	data, v, err := s.Load(context.Background(), key("me"))
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(string(data), " ")
	n, err = strconv.Atoi(number)
	if err != nil {
		return 0, err
	}
	n++
	// Of changing length, so that a mixture of two would be seen.
	data = []byte(strconv.Itoa(n) + " " + strings.Repeat(strconv.Itoa(n%10), rand.IntN(20_000)))
	_, err = s.Save(context.Background(), key("me"), data, v)
	return n, err
}

func TestProcessesLoseNoUpdate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	save(t, s, key("me"), "0 ", "")
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := process(t.Context(), "increment", dir).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	data, _, err := s.Load(t.Context(), key("me"))
	if err != nil {
		t.Fatal(err)
	}
	if number, _, _ := strings.Cut(string(data), " "); number != strconv.Itoa(processes*increments) {
		t.Errorf("%d processes added one %d times, and the number is %s", processes, increments, number)
	}
}

// rewriteForever says after each increment what it has saved.
func rewriteForever(s *filestore.Store) error {
	for {
		n, err := increment(s)
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestFieldCase_Azure_azure_cli_20749_KillingWritersLeavesNoUnreadableFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	save(t, s, key("me"), "0 ", "")
	for range 40 {
		acknowledged, complaint := killed(t, dir)
		data, _, err := s.Load(t.Context(), key("me"))
		if err != nil || complaint != "" {
			t.Fatalf("after a writer was killed: %v; the writer said %q", err, complaint)
		}
		number, rest, _ := strings.Cut(string(data), " ")
		n, err := strconv.Atoi(number)
		if err != nil || strings.Trim(rest, strconv.Itoa(n%10)) != "" {
			t.Fatalf("a mixture: %.40q", data)
		}
		if acknowledged >= 0 && n != acknowledged && n != acknowledged+1 {
			t.Fatalf("%d was acknowledged, and %d is kept", acknowledged, n)
		}
	}
	if n, err := increment(s); err != nil {
		t.Errorf("saving %d after the last was killed: %v", n, err)
	}
}

// killed runs a writer, kills it within its work, and returns the last number
// that it said it had saved, -1 if none.
func killed(t *testing.T, dir string) (acknowledged int, complaint string) {
	t.Helper()
	cmd := process(t.Context(), "rewrite", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	acknowledged = -1
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		if acknowledged, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
			t.Fatal(err)
		}
		if first {
			time.AfterFunc(time.Duration(rand.IntN(int(20*time.Millisecond))), func() { _ = cmd.Process.Kill() })
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	return acknowledged, stderr.String()
}
