package provider_test

import (
	"fmt"

	"github.com/regrant/regrant/client/provider"
)

// What happens at Atlassian to a refresh token, and who says so.
func ExampleByName() {
	p := provider.ByName("atlassian")
	fmt.Println(p.Title, "ends a grant after", p.Absolute.Hours()/24, "days")
	for _, f := range p.Facts {
		if f.Name == "reuse" || f.Name == "absolute" {
			fmt.Printf("%s: %s (%s, %s)\n", f.Name, f.Value, f.Source, f.Date)
		}
	}
	// Output:
	// Atlassian ends a grant after 365 days
	// reuse: grace 10m (https://community.developer.atlassian.com/t/updated-31-january-2022-action-required-deprecating-persistent-refresh-tokens/54172, 2026-11-26)
	// absolute: 365d (https://community.developer.atlassian.com/t/refresh-token-expire-after-36000-seconds/60806/2, 2026-11-26)
}

func ExampleLookup() {
	for _, issuer := range []string{"https://example.okta.com", "https://example.okta.com.example.org"} {
		if p := provider.Lookup(issuer); p != nil {
			fmt.Println(issuer, "is", p.Title)
		} else {
			fmt.Println(issuer, "is not known")
		}
	}
	// Output:
	// https://example.okta.com is Okta
	// https://example.okta.com.example.org is not known
}
