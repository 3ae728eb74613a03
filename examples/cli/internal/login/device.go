package login

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// Device logs in by a code that is entered on any machine (RFC 8628). While it waits
// it shows how long the code is good for.
func Device(u *ui.UI) client.Flow {
	return client.Device{Show: func(ctx context.Context, prompt *oauth2.DeviceAuthResponse) error {
		screen := u.Err
		screen.Printf("To log regrant in, open this page on any device:\n\n  %s\n\n", ui.Accent(prompt.VerificationURI))
		screen.Printf("and enter this code:\n\n  %s\n\n", ui.Bold(prompt.UserCode))
		if complete := prompt.VerificationURIComplete; complete != "" {
			if qr := screen.QR(complete); qr != "" {
				// The code is compared all the same (RFC 8628 section 3.3.1).
				screen.Printf("or point a camera at this, and compare the code:\n\n%s\n", qr)
			}
		}
		go countdown(ctx, u, prompt.Expiry)
		return nil
	}}
}

// countdown shows the time that is left until the login ends.
func countdown(ctx context.Context, u *ui.UI, end time.Time) {
	const columns = 20
	live, whole := u.Err.Live(), time.Until(end)
	defer live.Clear()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		left := time.Until(end)
		live.Show(u.Bar(float64(left)/float64(whole), columns) + " " + ui.Clock(left) + "  waiting for you")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
