package helper

import (
	"io"
	"net/url"
	"strings"
)

// WriteCurl writes a configuration for curl --config that sends the token to an
// address. curl does not send the header on to the host that it is redirected to (since
// 7.58.0).
func WriteCurl(w io.Writer, address, token string) error {
	u, err := url.Parse(address)
	if err != nil || safe(u.Scheme, u.Host) != nil {
		return errPlain
	}
	_, err = io.WriteString(w, "url = "+quote(address)+"\nheader = "+quote("Authorization: Bearer "+token)+"\n")
	return err
}

// quote makes a value of curl's configuration, with the escapes that curl(1) names.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`).Replace(s) + `"`
}
