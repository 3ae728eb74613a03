package lab

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Redis is a server of the test's own. It syncs every write to its file.
type Redis struct {
	Socket string // the unix socket that it listens on; "" if it is told a port
	Addr   string // the port on loopback; "" if it listens on a unix socket alone

	t       testing.TB
	daemon  *daemon
	command []string
	stop    func()
}

// StartRedis starts a Redis that listens on a unix socket. settings are more lines
// of its configuration, as NAME, VALUE, ... Its service is "redis".
func StartRedis(t testing.TB, settings ...string) *Redis {
	t.Helper()
	return startRedis(t, 0, settings)
}

// StartRedisPort starts a Redis that listens on a port.
func StartRedisPort(t testing.TB, settings ...string) *Redis {
	t.Helper()
	return startRedis(t, reservePorts(t, 1), settings)
}

func startRedis(t testing.TB, port int, settings []string) *Redis {
	t.Helper()
	d := newDaemon("redis", "eady to accept connections", "KILL")
	server := d.program("redis-server")
	Require(t, "redis", d.problem)
	d.place(t)
	r := &Redis{t: t, daemon: d}
	line := []string{server, "--dir", d.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--port", strconv.Itoa(port)}
	if port == 0 {
		r.Socket = filepath.Join(d.dir, "socket")
		line = append(line, "--unixsocket", r.Socket)
	} else {
		r.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		line = append(line, "--bind", "127.0.0.1")
	}
	for i := 0; i < len(settings); i += 2 {
		line = append(line, "--"+settings[i], settings[i+1])
	}
	r.command = line
	r.Start()
	return r
}

// Start starts the server again after Kill, with what is in its file.
func (r *Redis) Start() {
	r.t.Helper()
	r.stop = r.daemon.serve(r.t, r.command...)
}

// Kill kills the server as kill -9 does.
func (r *Redis) Kill() { r.stop() }

// StartRedisCluster starts a Redis Cluster of three primaries, each with a replica,
// and returns their addresses. Its service is "redis".
func StartRedisCluster(t testing.TB, settings ...string) (addrs []string) {
	t.Helper()
	const primaries, replicas = 3, 1
	var first *Redis
	for range primaries * (1 + replicas) {
		port := reservePorts(t, 2)
		node := startRedis(t, port, append([]string{"cluster-enabled", "yes", "cluster-port", strconv.Itoa(port + 1), "cluster-node-timeout", "5000", "repl-diskless-sync-delay", "0"}, settings...))
		addrs = append(addrs, node.Addr)
		if first == nil {
			first = node
		}
	}
	cli := first.daemon.program("redis-cli")
	Require(t, "redis", first.daemon.problem)
	first.daemon.run(t, append([]string{cli, "--cluster", "create", "--cluster-yes", "--cluster-replicas", fmt.Sprint(replicas)}, addrs...)...)
	for _, addr := range addrs {
		replicates(t, cli, addr)
	}
	return addrs
}

// replicates waits until a node of a Cluster is a replica that has all of its
// primary, or a primary with such a replica.
func replicates(t testing.TB, cli, addr string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	var out []byte
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		out, _ = exec.Command(cli, "-p", port, "info", "replication").Output()
		if strings.Contains(string(out), "master_link_status:up") || strings.Contains(string(out), "state=online") {
			return
		}
	}
	t.Fatalf("%s does not replicate after a minute:\n%s", addr, out)
}
