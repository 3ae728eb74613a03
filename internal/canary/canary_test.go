package canary_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/canary"
)

func TestTheSecretIsFoundInEveryNotation(t *testing.T) {
	quoted, err := json.Marshal("a " + canary.Secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"itself":         canary.Secret,
		"a part of it":   "token " + canary.Secret[6:14] + "…",
		"upper case":     strings.ToUpper(canary.Secret),
		"Go":             fmt.Sprintf("%q", "\x00"+canary.Secret),
		"hexadecimal":    fmt.Sprintf("%x", "a"+canary.Secret),
		"HEXADECIMAL":    fmt.Sprintf("%X", canary.Secret),
		"JSON":           string(quoted),
		"a URL":          url.QueryEscape("code=" + canary.Secret),
		"base64":         base64.StdEncoding.EncodeToString([]byte(canary.Secret)),
		"base64 after 1": base64.RawURLEncoding.EncodeToString([]byte("a" + canary.Secret + "b")),
		"base64 after 2": base64.StdEncoding.EncodeToString([]byte("ab" + canary.Secret)),
	} {
		if !canary.In(text) {
			t.Errorf("%s hides it: %s", name, text)
		}
	}
	for _, text := range []string{"", canary.Secret[:7], "the server answered invalid_grant", strings.Repeat("A", 1000)} {
		if canary.In(text) {
			t.Errorf("it is seen in %q", text)
		}
	}
}

func TestTheVerbThatShowsTheSecretIsTold(t *testing.T) {
	for verb, err := range map[string]error{
		"":    errors.New("no"),
		"%v":  errors.New(canary.Secret),
		"%#v": &hiding{canary.Secret},
	} {
		if got := canary.Shown(err); got != verb {
			t.Errorf("%q instead of %q", got, verb)
		}
	}
}

// hiding does not show what it holds unless it is asked with %#v.
type hiding struct{ Cause string }

func (*hiding) Error() string { return "hidden" }

func TestTheSecretIsPlantedAnywhere(t *testing.T) {
	for at, want := range map[uint]string{0: canary.Secret + "ab", 1: "a" + canary.Secret + "b", 2: "ab" + canary.Secret, 4: "a" + canary.Secret + "b"} {
		if got := canary.Plant("ab", at); got != want {
			t.Errorf("at %d it is %q", at, got)
		}
	}
}
