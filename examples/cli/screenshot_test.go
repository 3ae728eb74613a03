//go:build unix

package main

import (
	"fmt"
	"html"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

// TestTheScreenshotsOfTheManual draws the pictures of README.md anew with -update:
// what the program has really written in a terminal, with the name of a server in
// place of the one of the test. Without it there is nothing to compare: a QR code is
// another one each time.
func TestTheScreenshotsOfTheManual(t *testing.T) {
	if !*update {
		t.Skip("with -update")
	}
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) {
		o.DeviceInterval, o.AccessTokenLifetime = time.Second, time.Hour
		o.Claims = func(_ clienttest.Exchange, claims map[string]any) { claims["email"] = "alice@example.com" }
	})
	const columns, rows = 92, 60
	var shell strings.Builder
	name := strings.NewReplacer(s.Issuer(), "https://login.example.com", h.dir, "/home/alice")
	show := func(args []string, meanwhile func(*terminal.Terminal)) {
		x := h.open(columns, rows, args...)
		if meanwhile != nil {
			meanwhile(x)
		}
		x.Wait()
		fmt.Fprintf(&shell, "\x1b[2m$\x1b[m regrant %s\r\n%s\r\n", name.Replace(strings.Join(args, " ")), name.Replace(x.Written()))
	}
	h.must("login", s.Issuer(), "--client-id", clienttest.PublicClient, "--profile", "work", "--store", "sqlite")
	s.Revoke("alice")
	h.run("token", "--profile", "work", "--refresh") // finds out
	h.login(s, "--as", "nightly")
	h.must("token", "--as", "nightly", "--refresh")
	show([]string{"login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file", "--device"}, func(x *terminal.Terminal) {
		x.See("waiting for you")
		if err := s.ApproveDevice(userCode.FindString(x.Text()), "alice"); err != nil {
			t.Fatal(err)
		}
	})
	show([]string{"status"}, nil)
	draw(t, "login", columns, shell.String())

	shell.Reset()
	show([]string{"doctor", s.Issuer()}, nil)
	draw(t, "doctor", columns, shell.String())
}

// draw draws what a terminal shows of text as testdata/NAME.svg.
func draw(t *testing.T, name string, columns int, text string) {
	t.Helper()
	const cellWidth, cellHeight, margin = 9, 18, 18
	rows := strings.Count(text, "\n") + 1
	screen := vt.NewEmulator(columns, rows)
	if _, err := screen.WriteString(text); err != nil {
		t.Fatal(err)
	}
	rows = strings.Count(strings.TrimRight(screen.String(), " \n"), "\n") + 1
	var b strings.Builder
	width, height := float64(columns)*cellWidth+2*margin, rows*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="15" shape-rendering="crispEdges">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#16181d"/>`+"\n")
	for y := range rows {
		for x := range columns {
			cell := screen.CellAt(x, y)
			if cell == nil || cell.IsZero() || cell.Content == " " && cell.Style.Bg == nil {
				continue
			}
			left, top := margin+float64(x)*cellWidth, margin+y*cellHeight
			if shape := block(cell.Content, left, float64(top), cellWidth, cellHeight, paint(cell.Style.Fg)); shape != "" {
				b.WriteString(shape)
				continue
			}
			style := ""
			if cell.Style.Attrs&1 != 0 {
				style += ` font-weight="bold"`
			}
			if cell.Style.Attrs&2 != 0 {
				style += ` opacity=".6"`
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="%s"%s>%s</text>`+"\n", left, top+14, paint(cell.Style.Fg), style, html.EscapeString(cell.Content))
		}
	}
	b.WriteString("</svg>\n")
	if err := os.WriteFile(filepath.Join("testdata", name+".svg"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// block draws a block or a line as what it is, so that no font leaves gaps between them.
func block(s string, x, y, w, h float64, fill string) string {
	top, bottom, full := 0.0, 0.0, 1.0
	switch s {
	case "█":
	case "▀":
		bottom = 0.5
	case "▄":
		top = 0.5
	case "━", "╸":
		top, bottom = 0.45, 0.42
		if s == "╸" {
			full = 0.5
		}
	default:
		return ""
	}
	return fmt.Sprintf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y+top*h, w*full, h*(1-top-bottom), fill)
}

// paint is a colour of the theme.
func paint(c color.Color) string {
	switch c {
	case ansi.Red:
		return "#ff7b72"
	case ansi.Green:
		return "#7ee787"
	case ansi.Yellow:
		return "#f2cc60"
	case ansi.Cyan:
		return "#79c0ff"
	case ansi.BrightWhite:
		return "#ffffff"
	}
	return "#d6dae0"
}
