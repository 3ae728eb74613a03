package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// ErrBinary says that an answer is nothing to read.
var ErrBinary = errors.New("the answer is binary, and this is a terminal")

// ToTerminal shows an answer to a person: JSON indented, one value after the other as
// they come, all else line by line, and nothing that a terminal would obey.
func ToTerminal(terminal io.Writer, resp *http.Response, body io.Reader) error {
	w := ui.Visible(terminal)
	if !isJSON(resp.Header.Get("Content-Type")) {
		return text(w, body)
	}
	var read bytes.Buffer
	values := json.NewDecoder(io.TeeReader(body, &read))
	for {
		before := values.InputOffset()
		var value json.RawMessage
		err := values.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // not JSON after all, or cut off: show what there is
			_, _ = w.Write(read.Bytes()[before:])
			_, _ = io.WriteString(w, "\n")
			if !isSyntax(err) {
				return err
			}
			return text(w, body)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, value, "", "  "); err != nil {
			return err
		}
		indented.WriteByte('\n')
		if _, err := w.Write(indented.Bytes()); err != nil {
			return err
		}
	}
}

func isSyntax(err error) bool { return errors.As(err, new(*json.SyntaxError)) }

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// text shows text as it comes, and gives up at the first sign that it is none.
func text(w io.Writer, body io.Reader) error {
	buffer := make([]byte, 32<<10)
	ended := true
	for {
		n, err := body.Read(buffer)
		if bytes.IndexByte(buffer[:n], 0) >= 0 {
			return ErrBinary
		}
		if n > 0 {
			ended = bytes.HasSuffix(buffer[:n], []byte{'\n'})
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return err
		case !ended:
			_, err = fmt.Fprintln(w) // the prompt of the shell wants a line of its own
			return err
		}
		return nil
	}
}
