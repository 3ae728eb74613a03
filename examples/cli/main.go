// Regrant logs a person in to any OAuth 2.0 or OpenID Connect server once, and lends
// the tokens to shells, scripts and other programs. README.md is its manual; this is
// where what is:
//
//	main.go             signals and streams, nothing else
//	internal/command    the commands, one in a file: names, flags, what they say
//	internal/login      the ways to log in, as a person sees them
//	internal/session    from a profile to a client of the SDK: store, passphrase, client secret
//	internal/profile    the files that say which server and which client, without a secret
//	internal/ui         the terminal: styles, questions, tables, bars, QR codes, JSON, foreign text
//	internal/trace      --debug
//	internal/forward    the reverse proxy
//	internal/helper     the protocols of kubectl, git, docker and curl
//	internal/adopt      the files of other programs, from which grants are imported
//	internal/doctor     what examines servers and this machine
//	internal/exit       exit codes, and what to do next
//
// A new command is a file in internal/command with a method of app that returns a
// *cobra.Command, added in app.root. It opens a session by app.open, writes results to
// ui.Out and everything else to ui.Err, obeys app.json, returns errors that exit.Of
// understands, and gives text from elsewhere to ui.Text first. What it does beyond
// that goes into a package of its own, which knows nothing of cobra.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/regrant/regrant/examples/cli/internal/command"
	"github.com/regrant/regrant/examples/cli/internal/exit"
)

func main() { os.Exit(run()) }

// run ends the context at the first signal; a second one ends the program.
func run() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Stop(signals)
		cancel(exit.SignalError{Signal: s})
	}()
	return command.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}
