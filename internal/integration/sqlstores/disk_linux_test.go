package sqlstores_test

import (
	"testing"

	"github.com/regrant/regrant/internal/integration/crash"
)

// A file that is open is not closed by a directory that becomes read-only, so
// only who comes later is met by that.
func TestADiskThatFailsDuringARotationLosesNothing(t *testing.T) {
	t.Parallel()
	disk := crash.Disk{Open: openPlace, Place: func(t testing.TB, dir string) string { return sqliteIn(dir).newTable(t).String() }}
	disk.SurvivesTrouble(t)
	t.Run("a directory that is read-only before it", func(t *testing.T) {
		t.Parallel()
		disk.SpendsNothingInAReadOnlyDirectory(t)
	})
}
