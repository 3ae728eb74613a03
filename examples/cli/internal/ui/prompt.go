package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/regrant/regrant/examples/cli/internal/exit"
)

// ErrNoTerminal says that there is nobody to ask.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// Interactive tells whether somebody can be asked.
func (u *UI) Interactive() bool {
	in, out, err := console()
	if err != nil {
		return false
	}
	return closeConsole(in, out) == nil
}

// Ask asks on the terminal, wherever the streams lead, and returns a line. What is
// typed is seen.
func (u *UI) Ask(ctx context.Context, question string) (string, error) {
	return ask(ctx, func(t *term.Terminal) (string, error) {
		t.SetPrompt(question)
		return t.ReadLine()
	})
}

// AskSecret is Ask for what nobody may see.
func (u *UI) AskSecret(ctx context.Context, question string) (string, error) {
	return ask(ctx, func(t *term.Terminal) (string, error) { return t.ReadPassword(question) })
}

// Confirm asks a question of yes or no; no is what an empty answer means.
func (u *UI) Confirm(ctx context.Context, question string) (bool, error) {
	answer, err := u.Ask(ctx, question+" [y/N] ")
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", err
}

// ask returns when it is answered, or when ctx ends, with the cause of that.
//
// The terminal is raw meanwhile: nothing that is typed early is echoed, and what is
// pasted may be longer than a line of a terminal can be (1 KiB on macOS).
func ask(ctx context.Context, read func(*term.Terminal) (string, error)) (string, error) {
	in, out, err := console()
	if err != nil {
		return "", ErrNoTerminal
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", errors.Join(ErrNoTerminal, closeConsole(in, out))
	}
	keys := &keyboard{in: in}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, out}, "")
	if w, h, err := term.GetSize(int(out.Fd())); err == nil {
		_ = t.SetSize(w, h) // it only lays out what is typed
	}
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read(t)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		switch {
		case keys.interrupted:
			a.err = exit.SignalError{Signal: os.Interrupt}
		case errors.Is(a.err, io.EOF):
			a.err = errors.New("nothing was entered")
		}
		if a.err != nil {
			fmt.Fprintf(out, "\r\n")
		}
		return a.text, errors.Join(a.err, term.Restore(int(in.Fd()), before), closeConsole(in, out))
	case <-ctx.Done():
		fmt.Fprintf(out, "\r\n")
		_ = term.Restore(int(in.Fd()), before)
		return "", context.Cause(ctx) // what still reads ends with the process
	}
}

// A keyboard notices ^C, which is no signal while the terminal is raw.
type keyboard struct {
	in          io.Reader
	interrupted bool
}

// Read reads what is typed.
func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.in.Read(p)
	k.interrupted = k.interrupted || bytes.IndexByte(p[:n], 3) >= 0
	return n, err
}

func closeConsole(in, out *os.File) error {
	err := in.Close()
	if out != in {
		err = errors.Join(err, out.Close())
	}
	return err
}
