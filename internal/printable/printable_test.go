package printable_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/regrant/regrant/internal/printable"
)

func TestTextIsWhatAPersonCanSee(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"a user code", "WDJB-MJHT", "WDJB-MJHT"},
		{"a verification URI", "https://example.com/device?user_code=WDJB-MJHT", "https://example.com/device?user_code=WDJB-MJHT"},
		{"another alphabet", "Доступ запрещён 拒绝 مرفوض", "Доступ запрещён 拒绝 مرفوض"},
		{"an accent of its own", "re\u0301essayez", "re\u0301essayez"},
		{"a colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"an eight-bit colour", "\u009b31mred", "red"},
		{"a cleared screen", "before\x1b[2J\x1b[Hafter", "beforeafter"},
		{"the title of the window", "a\x1b]0;owned\x07b", "ab"},
		{"a hyperlink", "\x1b]8;;https://evil.example\x1b\\https://good.example\x1b]8;;\x1b\\", "https://good.example"},
		{"the clipboard", "a\x1b]52;c;cm0gLXJmIC8=\x1b\\b", "ab"},
		{"a device control string", "a\x1bPq#0;2;0\u009cb", "ab"},
		{"a character set", "a\x1b(0b", "ab"},
		{"a reset", "a\x1bcb", "ab"},
		{"a control string that never ends", "a\x1b]0;the rest stays", "a0;the rest stays"},
		{"an escape at the end", "a\x1b", "a"},
		{"a sequence inside of a sequence", "\x1b\x1b[31m[31mred", "[31mred"},
		{"a sequence in broken UTF-8", "\x1b\xff[31mred", "red"},
		{"a bell, a backspace, a delete", "a\x07b\x08c\x7f", "abc"},
		{"a carriage return over the line", "Enter ABCD at https://good.example\rEnter EFGH", "Enter ABCD at https://good.example Enter EFGH"},
		{"line breaks of every kind", "a\nb\r\nc\vd\fe\u0085f\u2028g\u2029h", "a b c d e f g h"},
		{"white space as a veil", "  a \t \u00a0\u3000\u2800  b  ", "a b"},
		{"overrides of the direction", "\u202eevil\u202c \u2066isolate\u2069 \u200fmark\u061c", "evil isolate mark"},
		{"what has no width", "pay\u200bpal\u200c.\u200dexample\ufeff\u2060\u00ad", "paypal.example"},
		{"fillers and selectors", "a\u115f\u3164\uffa0\u034f\ufe0f\U000e0100b", "ab"},
		{"tags", "a\U000e0041\U000e007fb", "ab"},
		{"private use and nobody's", "a\ue000\uffff\U0010fffdb", "ab"},
		{"what is not UTF-8", "a\xff\xc0\xafb\xed\xa0\x80c", "abc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := printable.Text(tc.in, 200); got != tc.want {
				t.Errorf("Text(%q) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abcde…"},
		{"éééé", 4, "éééé"},
		{"ééééé", 4, "ééé…"},
		{"abc def", 5, "abc…"},
		{"ab", 1, "…"},
		{"a", 0, ""},
		{"a", -1, ""},
		{"", 0, ""},
		{strings.Repeat("x", 1<<20), 8, "xxxxxxx…"},
	} {
		t.Run(fmt.Sprintf("%.8s in %d", tc.in, tc.n), func(t *testing.T) {
			if got := printable.Text(tc.in, tc.n); got != tc.want {
				t.Errorf("Text(%.20q, %d) = %q, want %q", tc.in, tc.n, got, tc.want)
			}
		})
	}
}

func ExampleText() {
	description := "\x1b]0;owned\x07The user said no.\r\n\x1b[2JPlease enter your password at evil.example: "
	fmt.Printf("%q\n", printable.Text(description, 40))
	// Output: "The user said no. Please enter your pas…"
}

// FuzzText: whatever comes in, what goes out is valid UTF-8 on one line, within
// its bound, without a control or format character, and fit at a second look.
func FuzzText(f *testing.F) {
	f.Add("WDJB-MJHT", 20)
	f.Add("\x1b[31mred\x1b]0;title\x07\x9b1m", 5)
	f.Add("a\u202eb\u200b\xff\n\U000e0041", 3)
	f.Add("ab c", 4)
	f.Fuzz(func(t *testing.T, s string, n int) {
		got := printable.Text(s, n)
		if !utf8.ValidString(got) {
			t.Fatalf("Text(%q, %d) = %q is not UTF-8", s, n, got)
		}
		if count := utf8.RuneCountInString(got); count > max(n, 0) {
			t.Fatalf("Text(%q, %d) = %q has %d characters", s, n, got, count)
		}
		for _, r := range got {
			if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
				t.Fatalf("Text(%q, %d) = %q holds %U", s, n, got, r)
			}
		}
		if again := printable.Text(got, n); again != got {
			t.Fatalf("Text(%q, %d) = %q, and a second time %q", s, n, got, again)
		}
	})
}
