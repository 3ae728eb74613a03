package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// opaque makes a type that embeds it print as one word, whatever the verb, so
// that a printed configuration does not show a key.
type opaque struct{}

const shown = "[sealer]"

func (opaque) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, shown) }
func (opaque) LogValue() slog.Value         { return slog.StringValue(shown) }
func (opaque) MarshalText() ([]byte, error) { return []byte(shown), nil }
