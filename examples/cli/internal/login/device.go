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
		screen := u.Err
		screen.Printf("To log regrant in, open this page on any device:\n\n  %s\n\n", ui.Accent(prompt.VerificationURI))
		screen.Printf("and enter this code:\n\n  %s\n\n", ui.Bold(prompt.UserCode))
		if complete := prompt.VerificationURIComplete; complete != "" {
			if qr := screen.QR(complete); qr != "" {
				// The code is compared all the same (RFC 8628 section 3.3.1).
				screen.Printf("or point a camera at this, and compare the code:\n\n%s\n", qr)
			}
		}
		if prompt.Expiry.Before(end) {
			end = prompt.Expiry
		}
		wait.Begin(end)
		return nil
	}}
}
