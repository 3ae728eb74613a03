// Web is a web application whose users sign in at one server and connect their
// accounts at others. It works for them while they are away, and shows how their
// grants are doing: a table, a timeline of token lifetimes, and what happened.
//
//	go run ./examples/web      # brings its own servers: open the page that it prints
//	go run ./examples/web -h   # your own server, PostgreSQL, Redis, and the other flags
//
// How the library is used is in login.go, logout.go and work.go; that is all that
// a program needs. The other files are the application around it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second one ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: exit status 0 after a signal, 1 after an error, 2 for flags.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	o, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(errs, "web: %v\n", err)
		return 2
	}
	if err := serve(ctx, o, out, errs); err != nil {
		fmt.Fprintf(errs, "web: %v\n", err)
		return 1
	}
	return 0
}

// serve runs the application until ctx ends.
func serve(ctx context.Context, o *options, out, errs io.Writer) (err error) {
	l, err := net.Listen("tcp", o.addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: choose another port with -addr, or any free one with -addr 127.0.0.1:0", o.addr)
	case err != nil:
		return fmt.Errorf("%w: choose where to listen with -addr", err)
	}
	defer l.Close()
	if o.url == "" {
		o.url = "http://" + l.Addr().String()
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level}))

	a, err := newApp(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	server := &http.Server{
		Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Fprintf(out, "Open %s and sign in. %s\nCtrl-C ends it.\n", o.url, a.hint())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintf(out, "Finishing what is under way …\n")
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}
