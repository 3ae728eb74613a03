package login

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// Device logs in by a code that is entered on any machine (RFC 8628). While it waits,
// wait shows how long the code is good for, and the user is waited for.
func Device(u *ui.UI, wait *Wait, end time.Time) client.Flow {
	return client.Device{Show: func(_ context.Context, prompt *oauth2.DeviceAuthResponse) error {
		const around = 5 // the lines beside the picture, and that of the shell
		page, code, picture := ui.Accent(prompt.VerificationURI), ui.Bold(prompt.UserCode), ""
		if prompt.VerificationURIComplete != "" {
			picture = u.Err.QR(prompt.VerificationURIComplete, around)
		}
		if picture == "" {
			u.Err.Printf("To log regrant in, open this page on any device:\n\n  %s\n\nand enter this code:\n\n  %s\n\n", page, code)
		} else { // the code is compared all the same (RFC 8628 section 3.3.1), so it comes last
			u.Err.Printf("To log regrant in, point a camera at this and compare the code,\n%sor open   %s\nand enter %s\n\n", picture, page, code)
		}
		if prompt.Expiry.Before(end) {
			end = prompt.Expiry
		}
		wait.Begin(end)
		return nil
	}}
}
