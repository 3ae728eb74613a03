package client

import (
	"context"

	"github.com/regrant/regrant/internal/openurl"
)

// OpenBrowser opens an http or https URL in the user's own browser (RFC 8252
// section 5): what [Browser] does if its Open is nil. It is here for programs
// that do something else as well, such as printing the URL.
//
// It returns once the browser was told, or after two seconds. Where no browser
// can be opened, as on a machine without a display, it returns an error at once.
func OpenBrowser(url string) error { return openurl.Open(context.Background(), url) }
