package processes_test

import (
	"path/filepath"
	"testing"

	"github.com/regrant/regrant/internal/integration/crash"
)

var disk = crash.Disk{Open: open, Place: func(_ testing.TB, dir string) string { return filepath.Join(dir, "grants") }}

func TestADiskThatFailsDuringARotationLosesNothing(t *testing.T) {
	t.Parallel()
	disk.SurvivesTrouble(t)
	t.Run("a directory that becomes read-only", func(t *testing.T) {
		t.Parallel()
		disk.SurvivesAReadOnlyDirectory(t)
	})
	t.Run("a directory that is read-only before it", func(t *testing.T) {
		t.Parallel()
		disk.SpendsNothingInAReadOnlyDirectory(t)
	})
}
