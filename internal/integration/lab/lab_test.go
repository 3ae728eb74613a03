package lab_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

// verdict is a test that notes how it ends. As in a real one, what ends it does
// not return.
type verdict struct {
	testing.TB
	failed, skipped string
}

func (v *verdict) Helper() {}
func (v *verdict) Fatalf(f string, a ...any) {
	v.failed = fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (v *verdict) Skipf(f string, a ...any) {
	v.skipped = fmt.Sprintf(f, a...)
	runtime.Goexit()
}
func (v *verdict) outcome() (fail, skip bool) { return v.failed != "", v.skipped != "" }

func TestAMissingServiceFailsTheTestOnlyWhereItIsRequired(t *testing.T) {
	missing := errors.New("install it")
	for _, c := range []struct {
		variable   string
		missing    error
		fail, skip bool
	}{
		{"", nil, false, false},
		{"all", nil, false, false},
		{"", missing, false, true},
		{"dex, hydra", missing, false, true},
		{"oidc", missing, false, true},
		{"all", missing, true, false},
		{"oidc-provider", missing, true, false},
		{"dex,oidc-provider", missing, true, false},
		{"dex oidc-provider", missing, true, false},
	} {
		t.Run(fmt.Sprintf("%q, missing: %v", c.variable, c.missing), func(t *testing.T) {
			t.Setenv("REGRANT_TEST_REQUIRE", c.variable)
			v := &verdict{TB: t}
			var over sync.WaitGroup
			over.Go(func() { lab.Require(v, "oidc-provider", c.missing) })
			over.Wait()
			if fail, skip := v.outcome(); fail != c.fail || skip != c.skip {
				t.Errorf("failed %q, skipped %q", v.failed, v.skipped)
			}
		})
	}
}
