package ui_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

func TestForeignTextIsOneLineThatCannotHarm(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"Доступ запрещён 拒绝":              "Доступ запрещён 拒绝",
		"a\x1b[31mred\x1b[0m":             "ared",
		"a\u009b31mred":                   "ared",
		"a\x1b]52;c;cm0=\x07b":            "ab",
		"a\u009d0;title\u009cb":           "ab",
		"\u202eevil\u2066\u200b":          "evil",
		"two\r\nlines\tof \u2028 text":    "two lines of text",
		"a\xffb\x00c\x7f":                 "abc",
		strings.Repeat("long ", 10) + "!": "long long long lo…",
	} {
		if got := ui.Text(in, 18); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestVisibleShowsWhatATerminalWouldObey(t *testing.T) {
	in := "li\rne\n\ttab\r\nends\x1b[31m\u009b\u202e\xff é 拒 \U000e0041"
	want := "li" + `\u000d` + "ne\n\ttab\nends" + `\u001b[31m\u009b\u202e\xff é 拒 \U000e0041`
	var got bytes.Buffer
	w := ui.Visible(&got)
	for _, c := range []byte(in) { // characters are cut in pieces
		if _, err := w.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != want {
		t.Errorf("got %q, want %q", &got, want)
	}
}

// FuzzText: nothing that goes out is more than text on a line.
func FuzzText(f *testing.F) {
	f.Add("a\x1b]0;title\x07b\u009b31m\u202e\xff", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = max(1, n%100)
		got := ui.Text(s, n)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > n {
			t.Fatalf("Text(%q, %d) = %q", s, n, got)
		}
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f {
				t.Fatalf("Text(%q, %d) = %q holds %U", s, n, got, r)
			}
		}
	})
}
