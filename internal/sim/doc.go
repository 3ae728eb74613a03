// Package sim simulates the rotation protocol: many processes, each a Client of
// package client as it is, share one store and one hostile authorization server,
// and a seed decides every interleaving, delay, fault and crash.
//
//	go test ./internal/sim -run Seeds -seeds 100000 -first 1
//	go test ./internal/sim -run Seed -seed 42 -v    # replays one, with its trace
//
// It holds tests only: the world is in world_test.go, processes and their
// users in process_test.go, what lies between them and the outside in
// wire_test.go, store_test.go and lock_test.go, the server in server_test.go,
// and what must be true in oracle_*_test.go. Scripts are in history_test.go. The
// rules that are broken on purpose are in rules_test.go; overlay_test.go compiles
// them. internal/docs/proof.md tells what this proves, and what it does not.
//
// # How a run works
//
// A run is a bubble of testing/synctest, whose clock moves when everybody waits.
// Each call of a store, each lock and each request takes time there and back,
// drawn from the seed to the nanosecond; so at each instant one thing happens, and
// the clock puts everything in order. There are no sockets: the server is behind
// the RoundTripper of Config.HTTPClient. crypto/rand is seeded as well
// (testing/cryptotest), and so is what the client draws. Trouble lasts for a
// while; then it is calm, and what is left is judged.
//
// # What is modelled how
//
//   - A death: the process stands still for ever at its next step to the outside.
//     What has left it arrives, its locks fall free, and another process starts.
//   - A pause: the same, until it goes on. Its timers run meanwhile: what they
//     start stops at the next step.
//   - Clocks: all processes read one clock. A machine whose clock is ahead writes
//     later times into its records, and reads what others wrote as earlier; so
//     every comparison of a stored time with a clock comes out as it would. The
//     end of a token that is in memory already does not move when a clock
//     jumps: client/lifecycle.go has its own tests for that.
//   - Two lease lengths: a version whose lease is 45 s writes three times that
//     of ours into its intents, and drops two of three heartbeats.
//   - Records lie open in the store (it is Protected), so that they can be judged.
package sim
