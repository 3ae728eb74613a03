// Package canary finds out whether a secret is shown: a test plants [Secret] in
// what a parser reads, and looks for it in what the parser says.
package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Secret is what tests plant. It holds letters and digits only, so the notations
// of URLs, JSON, HTML and Go leave it as it is.
const Secret = "c4n4ryS3cr3tT0k3nX9z"

// leakLength is how many characters in a row count as shown: what is shorter
// cannot be told from chance.
const leakLength = 8

// Plant returns text with Secret in it, somewhere: a fuzzer chooses at.
func Plant(text string, at uint) string {
	at %= uint(len(text)) + 1
	return text[:at] + Secret + text[at:]
}

// Shown returns the verb of package fmt that shows the secret, or a part of it,
// when err is printed with it; "" if none does.
func Shown(err error) string {
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%x"} {
		if In(fmt.Sprintf(verb, err)) {
			return verb
		}
	}
	return ""
}

// In tells whether text shows the secret, or eight characters of it in a row: as
// they are, in another case, in hexadecimal, or in base64.
func In(text string) bool {
	text = strings.ToLower(text)
	for _, notation := range notations() {
		if strings.Contains(text, strings.ToLower(notation)) {
			return true
		}
	}
	return false
}

func notations() []string {
	var all []string
	for i := range len(Secret) - leakLength + 1 {
		part := []byte(Secret[i : i+leakLength])
		all = append(all, string(part), hex.EncodeToString(part))
		// Base64 looks different after 0, 1 or 2 bytes more; the characters at the
		// edges depend on the neighbours.
		for before := range 3 {
			b := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), part...))
			all = append(all, b[before+1:len(b)-1])
		}
	}
	return all
}
