package webapp_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/regrant/regrant/internal/integration/lab"
)

var update = flag.Bool("update", false, "take the picture in the READMEs anew, which takes two minutes")

// TestThePictureInTheReadmes takes the picture as soon as the job runs, and throws it
// away: there is nothing to compare, since it shows the time of day. With -update it
// waits for more to show, and keeps what it has seen if no call has failed.
func TestThePictureInTheReadmes(t *testing.T) {
	progress := "of 40"
	if *update {
		progress = "Round 35 of 40"
	}
	c := startChromium(t)
	app := start(t, c.program)
	b := c.person(t)
	const width, height = 1080, 1140
	b.size(width, height)
	b.signIn(app, "alice")
	for _, service := range []string{"Calendar", "Files", "Mail"} {
		b.connect(service)
	}
	b.press("Run it now")
	b.press("Run the job")
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(b.text(), progress); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("the job does not come to %q\n%s", progress, b.where())
		}
		b.press("Refresh")
	}
	b.sees("All 4 work.")
	if failed := b.failedCalls(); *update && failed != "0 0 0 0" {
		t.Fatalf("calls that failed: %s", failed)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	page, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	small := image.NewPaletted(image.Rect(0, 0, width, height), palette(page))
	draw.Draw(small, small.Bounds(), page, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		t.Fatal(err)
	}
	if !*update {
		return
	}
	if err := os.WriteFile(filepath.Join(lab.Root(t), "examples", "web", "connections.png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// palette returns the colors that a picture has most of. A page has few: what is
// left out are shades at the edges of letters.
func palette(of image.Image) color.Palette {
	count := map[color.Color]int{}
	for y := range of.Bounds().Dy() {
		for x := range of.Bounds().Dx() {
			count[of.At(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	return most[:min(len(most), 256)]
}
