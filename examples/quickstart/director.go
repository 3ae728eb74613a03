package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// play is main of the first process. It returns the exit status.
func play(args []string, out, errs io.Writer) int {
	o, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that leaves, as head does, is an error of the write
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	d := &director{
		options: o, timeline: newTimeline(out, stop), troupe: newTroupe(),
		held: make(chan string, o.processes), healed: make(chan struct{}),
	}
	complain := log.New(errs, "quickstart: ", 0)
	verdict, err := d.direct(ctx)
	switch {
	case ctx.Err() != nil:
		complain.Print("interrupted")
		return 130
	case err != nil:
		complain.Print(err)
		return 1
	case verdict != nil:
		complain.Print("not clean: ", verdict)
		return 1
	}
	return 0
}

// A director says what happens when. All reports come together here.
type director struct {
	*options
	*stage
	timeline *timeline
	troupe   *troupe
	tally    tally

	held   chan string   // who holds an answer that it will never read
	healed chan struct{} // closed when another process has recovered
}

// direct shows everything, and leaves nothing behind. The verdict is what is
// wrong with the summary.
func (d *director) direct(ctx context.Context) (verdict, err error) {
	defer d.timeline.close()
	d.timeline.say(fmt.Sprintf("%s: one login for %d processes\n\n%s",
		d.timeline.paint(bold, "regrant quickstart"), d.processes+1, d.timeline.header()))
	if d.stage, err = newStage(ctx, d.options, d.timeline.say); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.stage.close()) }()

	err = d.acts(ctx)
	if d.tally.loggedIn() {
		d.chapterf("The end")
		d.troupe.stop(patience)
		d.logOut()
	}
	d.timeline.close()
	if err != nil || ctx.Err() != nil {
		return nil, err
	}
	return d.timeline.summary(d.judge()), nil
}

// acts are what is between the beginning and the end.
func (d *director) acts(ctx context.Context) error {
	d.chapterf("One process logs in, and calls the API from %d goroutines", d.goroutines)
	d.notef("server", "%s", d.describe())
	if err := d.alone(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	end := time.Now().Add(d.duration * 3 / 4)
	var names []string
	for i := range d.processes {
		names = append(names, fmt.Sprintf("p%d", i+1))
	}
	d.chapterf("Now it is up to %s, with nothing but the store", together(names))
	for _, name := range names {
		s := d.setup
		s.Process = name
		if err := d.troupe.start(s, d.receive); err != nil {
			return err
		}
	}
	if d.kill && d.wait(ctx, d.duration/5) {
		if err := d.killOne(ctx); err != nil {
			return err
		}
	}
	d.wait(ctx, time.Until(end))
	return nil
}

// alone logs in and calls the API from one process.
func (d *director) alone(ctx context.Context) error {
	d.notef(mainProcess, "logs in: %s", d.userName())
	span := d.duration / 4
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute+span) // a person may take long to log in
	defer cancel()
	a := newActor(d.setup, span, d.receive)
	if err := a.run(ctx, d.user); err != nil {
		return err
	}
	a.report(report{Kind: stopped})
	return nil
}

// killOne kills whoever renews next, after the server has rotated the refresh
// token and before the process knows its successor, and waits until another one
// has recovered.
func (d *director) killOne(ctx context.Context) error {
	d.chapterf("The next one that renews is killed in the middle of it")
	d.troupe.tell(order{Hold: true})
	defer d.troupe.tell(order{})
	var victim string
	select {
	case victim = <-d.held:
	case <-time.After(d.duration):
		return nil // the summary says that there was none
	case <-d.troupe.over():
		return nil
	case <-ctx.Done():
		return nil
	}
	now := time.Now()
	if err := d.troupe.kill(victim); err != nil {
		return err
	}
	made, generation := d.tally.of(victim)
	d.receive(report{Time: now, Process: victim, Kind: killed, numbers: made,
		Text: fmt.Sprintf("killed before it could keep generation %d", generation+1)})
	d.notef("others", "wait 2 s: the request of the dead may still be under way")
	d.troupe.tell(order{})
	select {
	case <-d.healed:
	case <-time.After(d.grace + patience):
	case <-d.troupe.over():
	case <-ctx.Done():
	}
	return nil
}

// wait lets the others work, and tells whether they still do.
func (d *director) wait(ctx context.Context, span time.Duration) bool {
	select {
	case <-time.After(span):
		return true
	case <-d.troupe.over():
	case <-ctx.Done():
	}
	return false
}

// logOut ends the grant, also after Ctrl-C.
func (d *director) logOut() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg, err := d.setup.config()
	if err == nil {
		err = logOut(ctx, cfg)
	}
	d.tally.loggedOut(err)
	if err != nil {
		d.notef(mainProcess, "logged out here; %v", err)
		return
	}
	d.notef(mainProcess, "logged out: the grant is revoked, then deleted")
	if d.server == nil {
		return
	}
	if account := d.account(); d.server.FamilyAlive(account) {
		d.tally.loggedOut(errors.New("the server would still accept the refresh token"))
	} else {
		d.notef("server", "has forgotten %s's grant: no refresh token of it works", account)
	}
}

// account is who has logged in at our own server.
func (d *director) account() string {
	for _, x := range d.server.Exchanges() {
		if x.Account != "" {
			return x.Account
		}
	}
	return ""
}

// receive takes a report of any process.
func (d *director) receive(r report) {
	r = d.tally.add(r)
	d.timeline.add(r)
	switch r.Kind {
	case held:
		d.held <- r.Process
	case recovered:
		close(d.healed)
	}
}

func (d *director) notef(who, format string, args ...any) {
	d.timeline.add(report{Time: time.Now(), Process: who, Kind: noted, Text: fmt.Sprintf(format, args...)})
}

func (d *director) chapterf(format string, args ...any) {
	d.timeline.add(report{Time: time.Now(), Kind: chapter, Text: fmt.Sprintf(format, args...)})
}

func (d *director) describe() string {
	if d.server == nil {
		return "at " + d.setup.Issuer
	}
	u, _ := url.Parse(d.setup.Issuer) // it is where we listen
	again := "using it again ends the login"
	if d.grace > 0 {
		again = fmt.Sprintf("using it again later than %s after that ends the login", seconds(d.grace))
	}
	return fmt.Sprintf("at %s. Access tokens live %s. A refresh token works once; %s.", u.Host, seconds(d.lifetime), again)
}

func (d *director) userName() string {
	switch {
	case d.open != "":
		return "a command is the user"
	case d.real() || d.browser:
		return "you are the user"
	}
	return "a script is the user"
}
