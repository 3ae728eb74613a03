package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/filelock"
)

// reservePorts returns the first of n consecutive ports that are free on
// loopback, and that no other test gets before this one has ended: a server that
// is told its port opens it some time later. They lie below those that a system
// gives to connections.
func reservePorts(t testing.TB, n int) int {
	t.Helper()
	const first, last, block = 11000, 31000, 10
	if n > block {
		t.Fatalf("%d consecutive ports are too many", n)
	}
	locks := filepath.Join(os.TempDir(), "regrant-ports")
	if err := os.MkdirAll(locks, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		port := first + block*rand.IntN((last-first)/block)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		unlock, err := filelock.Lock(ctx, filepath.Join(locks, strconv.Itoa(port)))
		cancel()
		if err != nil {
			continue // another test has it
		}
		t.Cleanup(unlock) // cleaned up after the server, which starts later
		if free(port, n) {
			return port
		}
	}
	t.Fatalf("no %d consecutive ports are free", n)
	return 0
}

func free(port, n int) bool {
	for ; n > 0; port, n = port+1, n-1 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
